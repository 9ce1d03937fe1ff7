package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/internal/clients"
	strict "portcullis/authserver/internal/form"
	"portcullis/authserver/token"
)

func TestAFormIsReadAsItStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body      string
		want      map[string]string
		audiences []string
	}{
		"nothing":                      {"", nil, nil},
		"all that is known":            {"grant_type=g&client_id=c&scope=a+b&audience=x", map[string]string{"grant_type": "g", "client_id": "c", "scope": "a b"}, []string{"x"}},
		"percent-encoding":             {"client%5fid=d%C3%A9mo%2B", map[string]string{"client_id": "démo+"}, nil},
		"parameters nobody knows":      {"foo=bar&scope=a", map[string]string{"scope": "a"}, nil},
		"a parameter without a value":  {"scope=&grant_type", map[string]string{"scope": "", "grant_type": ""}, nil},
		"audience and resource repeat": {"audience=a&resource=b&audience=c", nil, []string{"a", "c", "b"}},
		"a value that holds an = sign": {"client_secret=a=b", map[string]string{"client_secret": "a=b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseForm(c.body)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				if got.get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.get(name), want)
				}
			}
			if !slices.Equal(got.audiences, c.audiences) {
				t.Errorf("audiences %q, want %q", got.audiences, c.audiences)
			}
		})
	}
}

func TestAFormThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a parameter twice":                   "scope=a&scope=b",
		"a parameter twice, once encoded":     "scope=a&sc%6fpe=b",
		"a parameter twice, first empty":      "scope=&scope=b",
		"an unknown parameter twice":          "foo=a&foo=b",
		"a name in another case":              "Client_Id=demo",
		"a name whose letters fold":           "\u017fcope=a",
		"a semicolon":                         "scope=a;client_id=b",
		"broken percent-encoding":             "scope=%zz",
		"a name without letters":              "=a",
		"an empty pair":                       "scope=a&&client_id=b",
		"a NUL":                               "client_id=demo%00",
		"a line break":                        "client_id=demo%0a",
		"bytes that are no UTF-8":             "client_id=%ff",
		"more parameters than anybody needs ": strings.Repeat("audience=a&", formParams+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f, err := parseForm(body); err == nil {
				t.Errorf("it is read as %+v", f)
			}
		})
	}
}

// of is a form with these parameters.
func of(t *testing.T, body string) form {
	t.Helper()
	f, err := parseForm(body)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExactlyOneWayToAuthenticate(t *testing.T) {
	t.Parallel()
	const demo = "Basic ZGVtbzpzM2NyZXQ=" // demo:s3cret
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewClientKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := key.Assertion("demo", "https://auth.test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	jwt := "client_assertion_type=" + url.QueryEscape(token.JWTBearer) + "&client_assertion=" + made
	basic := func(id, secret string) clients.Proof {
		return clients.Proof{Method: clients.Basic, ID: id, Secret: secret}
	}
	for name, c := range map[string]struct {
		authorization []string
		form          string
		want          clients.Proof
		code          string
	}{
		"basic":                              {[]string{demo}, "", basic("demo", "s3cret"), ""},
		"basic in capitals":                  {[]string{"BASIC ZGVtbzpzM2NyZXQ="}, "", basic("demo", "s3cret"), ""},
		"basic, form-encoded":                {[]string{"Basic ZCUyQmU6cyUzQXM="}, "", basic("d+e", "s:s"), ""}, // d%2Be:s%3As
		"basic and its own client_id":        {[]string{demo}, "client_id=demo", basic("demo", "s3cret"), ""},
		"post":                               {nil, "client_id=demo&client_secret=s", clients.Proof{Method: clients.Post, ID: "demo", Secret: "s"}, ""},
		"an assertion":                       {nil, jwt, clients.Proof{Method: clients.PrivateKeyJWT, ID: "demo", Assertion: made}, ""},
		"an assertion and its own client_id": {nil, jwt + "&client_id=demo", clients.Proof{Method: clients.PrivateKeyJWT, ID: "demo", Assertion: made}, ""},
		"a client_id alone, of a public one": {nil, "client_id=demo", clients.Proof{Method: clients.None, ID: "demo"}, ""},
		"basic and another client_id":        {[]string{demo}, "client_id=other", clients.Proof{}, "invalid_request"},
		"basic and post":                     {[]string{demo}, "client_id=demo&client_secret=s3cret", clients.Proof{}, "invalid_request"},
		"basic twice":                        {[]string{demo, demo}, "", clients.Proof{}, "invalid_request"},
		"basic and an assertion":             {[]string{demo}, jwt, clients.Proof{}, "invalid_request"},
		"post and an assertion":              {nil, jwt + "&client_id=demo&client_secret=s", clients.Proof{}, "invalid_request"},
		"an assertion of somebody else":      {nil, jwt + "&client_id=other", clients.Proof{}, "invalid_request"},
		"an assertion without its type":      {nil, "client_assertion=" + made, clients.Proof{}, "invalid_request"},
		"an assertion of another type":       {nil, "client_assertion_type=saml&client_assertion=" + made, clients.Proof{}, "invalid_request"},
		"a type without an assertion":        {nil, "client_id=demo&client_assertion_type=" + url.QueryEscape(token.JWTBearer), clients.Proof{}, "invalid_request"},
		"an assertion that is none":          {nil, "client_assertion_type=" + url.QueryEscape(token.JWTBearer) + "&client_assertion=a.b.c", clients.Proof{}, "invalid_client"},
		"basic that is no base64":            {[]string{"Basic ZGVtbzpzM2NyZXQ"}, "", clients.Proof{}, "invalid_request"},
		"basic without a colon":              {[]string{"Basic ZGVtbw=="}, "", clients.Proof{}, "invalid_request"},
		"basic with a NUL":                   {[]string{"Basic ZGVtbwA6cw=="}, "", clients.Proof{}, "invalid_request"},
		"basic of 3 KiB":                     {[]string{"Basic " + strings.Repeat("A", 3<<10)}, "", clients.Proof{}, "invalid_request"},
		"basic without a secret":             {[]string{"Basic ZGVtbzo="}, "", clients.Proof{}, "invalid_client"},
		"bearer":                             {[]string{"Bearer abc"}, "", clients.Proof{}, "invalid_client"},
		"nothing":                            {nil, "", clients.Proof{}, "invalid_client"},
		"a secret without a client":          {nil, "client_secret=s", clients.Proof{}, "invalid_client"},
		"a secret of 600 characters":         {nil, "client_id=demo&client_secret=" + strings.Repeat("s", 600), clients.Proof{}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readProof(http.Header{"Authorization": c.authorization}, of(t, c.form))
			code := ""
			if err != nil {
				code = err.(*refusal).code //nolint:errorlint,forcetypeassert // the only kind there is
			}
			if code != c.code || got != c.want {
				t.Errorf("%+v, %q; want %+v, %q", got, code, c.want, c.code)
			}
		})
	}
}

// FuzzAuthorization holds that whatever stands in the field, somebody is named
// completely or nobody is.
func FuzzAuthorization(f *testing.F) {
	f.Add("Basic ZGVtbzpzM2NyZXQ=", "client_id=demo")
	f.Add("basic ZCUyQmU6cyUzQXM=", "")
	f.Add("Basic ZGVtbwA6cw==", "client_secret=s")
	f.Add("Bearer a.b.c", "client_assertion=a&client_assertion_type=b")
	f.Fuzz(func(t *testing.T, field, body string) {
		got, err := parseForm(body)
		if err != nil {
			return
		}
		p, err := readProof(http.Header{"Authorization": {field}}, got)
		if err != nil {
			if _, ok := err.(*refusal); !ok || p != (clients.Proof{}) { //nolint:errorlint // a refusal is shown, anything else is not
				t.Fatalf("%T with %+v", err, p)
			}
			return
		}
		if p.Method != clients.Basic || p.ID == "" || p.Secret == "" || len(p.ID) > idBytes || len(p.Secret) > secretBytes || !strict.Clean(p.ID) || !strict.Clean(p.Secret) {
			t.Fatalf("%q proves %+v", field, p)
		}
	})
}

// FuzzRedirectURI holds that a redirect URI that is not registered is never one
// that a browser would send elsewhere.
func FuzzRedirectURI(f *testing.F) {
	known := []string{"https://app.hotel.test/callback", "http://127.0.0.1/callback", "http://[::1]:7000/callback?a=b"}
	for _, uri := range append(known, "http://127.0.0.1:65535/callback", "http://127.0.0.1:1@evil.test/callback", "http://127.0.0.1:/callback", "https://app.hotel.test/callback/..") {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !registered(known, uri) || slices.Contains(known, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || !loopback(u.Hostname()) || u.Path != "/callback" || strings.ContainsAny(uri, "\\@#") {
			t.Fatalf("%q is taken for one of %q", uri, known)
		}
	})
}

// FuzzParseForm compares with the standard library's lenient parser: what we
// accept, it reads in the same way, and nothing is in it twice.
func FuzzParseForm(f *testing.F) {
	f.Add("grant_type=client_credentials&client_id=demo&client_secret=s&audience=gateway&scope=a+b")
	f.Add("scope=a&sc%6fpe=b")
	f.Add("audience=a&resource=b&audience=&x=;")
	f.Add("%=&Scope=%00\xff")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body)
		if err != nil {
			if _, ok := err.(*refusal); !ok { //nolint:errorlint // a refusal is shown, anything else is not
				t.Fatalf("%q: %T, want a refusal", body, err)
			}
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q is accepted, but not by the standard library: %v", body, err)
		}
		for name, want := range map[string]string{
			"grant_type": got.get("grant_type"), "client_id": got.get("client_id"), "code": got.get("code"), "scope": got.get("scope"),
		} {
			if values.Get(name) != want || len(values[name]) > 1 {
				t.Fatalf("%q: %s is %q, the standard library reads %q", body, name, want, values[name])
			}
			if !strict.Clean(want) {
				t.Fatalf("%q: %s holds control characters: %q", body, name, want)
			}
		}
		named := slices.DeleteFunc(append(values["audience"], values["resource"]...), func(v string) bool { return v == "" })
		if !slices.Equal(slices.Sorted(slices.Values(named)), slices.Sorted(slices.Values(got.audiences))) {
			t.Fatalf("%q: audiences %q, the standard library reads %q", body, got.audiences, named)
		}
	})
}
