package trial

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// jwt is a token with these claims and no true signature.
func jwt(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + ".c2lnbmF0dXJl"
}

// told is a described request in one text.
func told(d *Described) string {
	lines := []string{d.Test.Send.V}
	if d.Test.Host.Set {
		lines = append(lines, "host "+d.Test.Host.V)
	}
	for _, f := range d.Test.Header {
		if f.Name != "User-Agent" || !strings.HasPrefix(f.Value.V, "curl/") {
			lines = append(lines, f.Name+": "+f.Value.V)
		}
	}
	if d.Test.Body.Set {
		lines = append(lines, "body "+d.Test.Body.V)
	}
	if d.Token != nil {
		lines = append(lines, fmt.Sprintf("token %s %s %v", d.Token.Algorithm, d.Token.Type, d.Token.Claims))
	}
	for _, n := range d.Notes {
		lines = append(lines, "note "+n)
	}
	return strings.Join(lines, "\n")
}

func TestACurlCommandIsTheRequestThatItWouldSend(t *testing.T) {
	t.Parallel()
	const form = "Content-Type: application/x-www-form-urlencoded"
	for name, c := range map[string]struct{ command, want string }{
		"a plain GET":                      {`curl https://api.hotel.test/v1/hotels?city=Turku`, "GET /v1/hotels?city=Turku\nhost api.hotel.test"},
		"a port stays with its host":       {`curl -k https://localhost:8443/`, "GET /\nhost localhost:8443"},
		"without a path":                   {`curl https://localhost?a=b`, "GET /?a=b\nhost localhost"},
		"a fragment is not sent":           {`curl https://localhost/a#b`, "GET /a\nhost localhost"},
		"without a scheme":                 {`curl localhost/a`, "GET /a\nhost localhost"},
		"by http":                          {`curl http://localhost/a`, "GET /a\nhost localhost\nnote explained as if asked by https"},
		"an IPv6 host":                     {`curl -g https://[::1]:8443/a`, "GET /a\nhost [::1]:8443"},
		"another method":                   {`curl -X DELETE https://h/a`, "DELETE /a\nhost h"},
		"one without a space":              {`curl -XDELETE https://h/a`, "DELETE /a\nhost h"},
		"one at the end of a bundle":       {`curl -sSkX PUT https://h/a`, "PUT /a\nhost h"},
		"HEAD":                             {`curl -I https://h/a`, "HEAD /a\nhost h"},
		"fields":                           {`curl -H 'Accept: text/html' --header "x-a:1" https://h/a`, "GET /a\nhost h\nAccept: text/html\nX-A: 1"},
		"a field without a value":          {`curl -H 'X-A;' https://h/a`, "GET /a\nhost h\nX-A: "},
		"a field that is left out":         {`curl -H 'X-A:' -H 'Content-Type:' -d a https://h/a`, "POST /a\nhost h\nbody a"},
		"another host":                     {`curl -H 'Host: other' https://h/a`, "GET /a\nhost other"},
		"data":                             {`curl -d a=1 --data b=2 https://h/a`, "POST /a\nhost h\n" + form + "\nbody a=1&b=2"},
		"data of another type":             {`curl -d '{}' -H 'content-type: application/json' https://h/a`, "POST /a\nhost h\nContent-Type: application/json\nbody {}"},
		"data as JSON":                     {`curl --json '{"a":1}' https://h/a`, "POST /a\nhost h\nContent-Type: application/json\nAccept: application/json\nbody {\"a\":1}"},
		"data with an at sign":             {`curl --data-raw @a https://h/a`, "POST /a\nhost h\n" + form + "\nbody @a"},
		"data that is encoded":             {`curl --data-urlencode 'a=b c&d' --data-urlencode '=x y' https://h/a`, "POST /a\nhost h\n" + form + "\nbody a=b+c%26d&x+y"},
		"data in the query":                {`curl -G -d a=1 -d b=2 https://h/a?c=3`, "GET /a?c=3&a=1&b=2\nhost h"},
		"empty data":                       {`curl -d '' https://h/a`, "POST /a\nhost h\n" + form + "\nbody "},
		"a cookie":                         {`curl -b 'a=1; b=2' https://h/a`, "GET /a\nhost h\nCookie: a=1; b=2"},
		"a user":                           {`curl -u ada:lovelace https://h/a`, "GET /a\nhost h\nAuthorization: Basic YWRhOmxvdmVsYWNl"},
		"another agent and a referrer":     {`curl -A me -e https://x/ https://h/a`, "GET /a\nhost h\nUser-Agent: me\nReferer: https://x/"},
		"compression":                      {`curl --compressed https://h/a`, "GET /a\nhost h\nAccept-Encoding: deflate, gzip, br, zstd"},
		"the address by its option":        {`curl --url https://h/a -s`, "GET /a\nhost h"},
		"dot segments":                     {`curl https://h/a/../b/./c`, "GET /b/c\nhost h"},
		"dot segments as they are":         {`curl --path-as-is https://h/a/../b`, "GET /a/../b\nhost h"},
		"letters beyond ASCII":             {`curl https://h/café?a=é`, "GET /caf%C3%A9?a=%C3%A9\nhost h"},
		"what changes nothing":             {`curl -vsSLkf --http2 --max-time 5 --cacert ca.pem -o out --retry 3 https://h/a`, "GET /a\nhost h"},
		"a prompt before, a pipe after it": {"$ curl https://h/a | jq .", "GET /a\nhost h"},
		"as a browser copies it": {
			"curl 'https://h/a' \\\n  -H 'accept: */*' \\\n  --data-raw $'{\"note\":\"it\\'s\"}'",
			"POST /a\nhost h\nAccept: */*\n" + form + "\nbody {\"note\":\"it's\"}",
		},
		"a bearer token": {
			"curl -H 'Authorization: bearer " + jwt(`{"alg":"ES256","typ":"at+jwt","kid":"k"}`, `{"sub":"g-7","iat":1795656000}`) + "' https://h/a",
			"GET /a\nhost h\ntoken ES256 at+jwt map[iat:1795656000 sub:g-7]\nnote " + noteUnchecked,
		},
		"a bearer token by its option": {
			"curl --oauth2-bearer " + jwt(`{"alg":"RS256"}`, `{"sub":"g-7"}`) + " https://h/a",
			"GET /a\nhost h\ntoken RS256  map[sub:g-7]\nnote " + noteUnchecked,
		},
		"a token that is no JWT": {
			"curl -H 'Authorization: Bearer opaque' https://h/a",
			"GET /a\nhost h\ntoken   map[]\nnote the bearer token is sent as it is: it is not a JWT",
		},
		"a token that signs itself": {
			"curl -H 'Authorization: Bearer " + jwt(`{"alg":"none"}`, `{"sub":"g-7"}`) + "' https://h/a",
			"GET /a\nhost h\ntoken   map[]\nnote the bearer token is sent as it is: its algorithm \"none\" is not one that issuers may use here",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Curl(c.command)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, told(d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatACurlCommandCannotTellIsAnError(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"wget https://h/a":               "does not begin with curl",
		"":                               "does not begin with curl",
		"curl -s":                        "no address",
		"curl https://h/a https://h/b":   "two addresses",
		"curl h/a --url https://h/b":     "two addresses",
		"curl ftp://h/a":                 "neither a path nor an https URL",
		"curl https:///a":                "names no host",
		"curl 'https://h/a b'":           "space",
		"curl -d @body.json https://h/a": "would read a file",
		"curl --json @x https://h/a":     "would read a file",
		"curl -b jar.txt https://h/a":    "would read a file",
		"curl -H @fields https://h/a":    "would read a file",
		"curl -F a=b https://h/a":        "not understood here",
		"curl --data-urlencode a@b h":    "would read a file",
		"curl -H":                        "lacks its value",
		"curl --frob https://h/a":        "not understood here",
		"curl -Z https://h/a":            "not understood here",
		"curl -H nonsense https://h/a":   "is not Name: value",
		"curl -X 'GET /x' https://h/a":   "is not a method",
	} {
		if d, err := Curl(command); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, error %v, want one with %q", command, d, err, want)
		}
	}
}

func TestNoErrorRepeatsACredential(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"curl -H Authorization: Basic c2VjcmV0 https://h/a",
		"curl -H 'Bearer c2VjcmV0' https://h/a",
		"curl 'https://ada:c2VjcmV0@h /a'",
		"curl https://ada:c2VjcmV0@/a",
		"curl ftp://ada:c2VjcmV0@h/a",
	} {
		if _, err := Curl(command); err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: error %v", command, err)
		}
	}
}

// A pasted command is somebody's complaint: nothing in it may crash the tool,
// and its token stands in nothing that is printed.
func FuzzCurl(f *testing.F) {
	token := jwt(`{"alg":"ES256"}`, `{"sub":"g-7"}`)
	for _, seed := range []string{
		`curl -sSkX POST 'https://h/a?b=c' -H 'Authorization: Bearer ` + token + `' --data-raw $'{"a":"\u00e9"}' | jq .`,
		"curl https://h/a \\\n -H \"X: y\" 2>/dev/null", `curl -G --data-urlencode 'a=b c' h`, `curl "$X"`, "curl -u a:b -b c=d --json '{}' --url h/../x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		d, err := Curl(command)
		if err != nil {
			if strings.Contains(err.Error(), token) {
				t.Errorf("the token stands in %q", err)
			}
			return
		}
		method, target, ok := strings.Cut(d.Test.Send.V, " ")
		if !ok || method == "" || strings.ContainsAny(target, " \r\n\t") || !strings.HasPrefix(target, "/") {
			t.Errorf("%q is no request line", d.Test.Send.V)
		}
		if !utf8.ValidString(command) {
			t.Error("a command that is not text was taken")
		}
		if d.Token != nil && slices.ContainsFunc(d.Notes, func(n string) bool { return len(d.Token.raw) > 8 && strings.Contains(n, d.Token.raw) }) {
			t.Error("a note holds the token")
		}
	})
}
