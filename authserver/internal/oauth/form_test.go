package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFormIsReadAsItStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want form
	}{
		"nothing":                       {"", form{}},
		"all that is known":             {"grant_type=g&client_id=c&client_secret=s&scope=a+b&audience=x", form{grantType: "g", clientID: "c", clientSecret: "s", scope: "a b", audiences: []string{"x"}}},
		"percent-encoding":              {"client%5fid=d%C3%A9mo%2B", form{clientID: "démo+"}},
		"parameters nobody knows":       {"foo=bar&scope=a", form{scope: "a"}},
		"a parameter without a value":   {"scope=&grant_type", form{}},
		"audience and resource repeat":  {"audience=a&resource=b&audience=c", form{audiences: []string{"a", "b", "c"}}},
		"a value that holds an = sign":  {"client_secret=a=b", form{clientSecret: "a=b"}},
		"either parameter of assertion": {"client_assertion_type=t", form{assertion: "t"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseForm(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(form{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
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

func TestExactlyOneWayToAuthenticate(t *testing.T) {
	t.Parallel()
	const demo = "Basic ZGVtbzpzM2NyZXQ=" // demo:s3cret
	for name, c := range map[string]struct {
		authorization []string
		form          form
		want          credentials
		code          string
	}{
		"basic":                               {[]string{demo}, form{}, credentials{"demo", "s3cret"}, ""},
		"basic in capitals":                   {[]string{"BASIC ZGVtbzpzM2NyZXQ="}, form{}, credentials{"demo", "s3cret"}, ""},
		"basic, form-encoded":                 {[]string{"Basic ZCUyQmU6cyUzQXM="}, form{}, credentials{"d+e", "s:s"}, ""}, // d%2Be:s%3As
		"basic and its own client_id":         {[]string{demo}, form{clientID: "demo"}, credentials{"demo", "s3cret"}, ""},
		"post":                                {nil, form{clientID: "demo", clientSecret: "s"}, credentials{"demo", "s"}, ""},
		"basic and another client_id":         {[]string{demo}, form{clientID: "other"}, credentials{}, "invalid_request"},
		"basic and post":                      {[]string{demo}, form{clientID: "demo", clientSecret: "s3cret"}, credentials{}, "invalid_request"},
		"basic twice":                         {[]string{demo, demo}, form{}, credentials{}, "invalid_request"},
		"basic and an assertion":              {[]string{demo}, form{assertion: "a"}, credentials{}, "invalid_request"},
		"basic that is no base64":             {[]string{"Basic ZGVtbzpzM2NyZXQ"}, form{}, credentials{}, "invalid_request"},
		"basic without a colon":               {[]string{"Basic ZGVtbw=="}, form{}, credentials{}, "invalid_request"},
		"basic with a NUL":                    {[]string{"Basic ZGVtbwA6cw=="}, form{}, credentials{}, "invalid_request"},
		"basic of 3 KiB":                      {[]string{"Basic " + strings.Repeat("A", 3<<10)}, form{}, credentials{}, "invalid_request"},
		"basic without a secret":              {[]string{"Basic ZGVtbzo="}, form{}, credentials{}, "invalid_client"},
		"bearer":                              {[]string{"Bearer abc"}, form{}, credentials{}, "invalid_client"},
		"nothing":                             {nil, form{}, credentials{}, "invalid_client"},
		"a client without a secret":           {nil, form{clientID: "demo"}, credentials{}, "invalid_client"},
		"a secret without a client":           {nil, form{clientSecret: "s"}, credentials{}, "invalid_client"},
		"an assertion, which we do not offer": {nil, form{clientID: "demo", assertion: "a"}, credentials{}, "invalid_client"},
		"a secret of 600 characters":          {nil, form{clientID: "demo", clientSecret: strings.Repeat("s", 600)}, credentials{}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readCredentials(http.Header{"Authorization": c.authorization}, c.form)
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
			"grant_type": got.grantType, "client_id": got.clientID, "client_secret": got.clientSecret, "scope": got.scope,
		} {
			if values.Get(name) != want || len(values[name]) > 1 {
				t.Fatalf("%q: %s is %q, the standard library reads %q", body, name, want, values[name])
			}
			if !clean(want) {
				t.Fatalf("%q: %s holds control characters: %q", body, name, want)
			}
		}
		named := slices.DeleteFunc(append(values["audience"], values["resource"]...), func(v string) bool { return v == "" })
		if !slices.Equal(slices.Sorted(slices.Values(named)), slices.Sorted(slices.Values(got.audiences))) {
			t.Fatalf("%q: audiences %q, the standard library reads %q", body, got.audiences, named)
		}
	})
}
