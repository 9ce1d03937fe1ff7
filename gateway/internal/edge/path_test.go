package edge_test

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ raw, want string }{
		"a plain path is itself":                       {"/v1/hotels", "/v1/hotels"},
		"the root is itself":                           {"/", "/"},
		"a final slash stays":                          {"/v1/hotels/", "/v1/hotels/"},
		"an escaped letter is decoded":                 {"/%61dmin", "/admin"},
		"an escaped dot inside a name is decoded":      {"/a%2eb", "/a.b"},
		"other escapes get upper-case hex":             {"/caf%c3%a9", "/caf%C3%A9"},
		"an inner space stays escaped":                 {"/a%20b", "/a%20b"},
		"three dots are a name":                        {"/.../a", "/.../a"},
		"a dot file is a name":                         {"/.well-known/x", "/.well-known/x"},
		"sub-delimiters stay":                          {"/a!$&'()*+,=:@b", "/a!$&'()*+,=:@b"},
		"escaped sub-delimiters are decoded":           {"/a%21%24%26%27%28%29%2a%2B%2c%3d%3a%40b", "/a!$&'()*+,=:@b"},
		"upper case is another path":                   {"/ADMIN", "/ADMIN"},
		"an empty segment is refused":                  {"//admin", ""},
		"an empty inner segment is refused":            {"/x//admin", ""},
		"a parent segment is refused":                  {"/x/../admin", ""},
		"a final parent segment is refused":            {"/x/..", ""},
		"a dot segment is refused":                     {"/./admin", ""},
		"an escaped parent segment is refused":         {"/x/%2e%2e/admin", ""},
		"a half escaped parent segment is refused":     {"/x/.%2E/admin", ""},
		"an escaped slash is refused":                  {"/x/..%2fadmin", ""},
		"a final escaped slash is refused":             {"/admin%2f", ""},
		"an escaped slash among names is refused":      {"/a%2Fb", ""},
		"a path parameter in a dot segment is refused": {"/..;/admin", ""},
		"a path parameter is refused":                  {"/admin;x=1", ""},
		"an escaped semicolon is refused":              {"/admin%3bx", ""},
		"a backslash is refused":                       {`/x\..\admin`, ""},
		"an escaped backslash is refused":              {"/x%5c..%5cadmin", ""},
		"NUL is refused":                               {"/admin%00", ""},
		"a control character is refused":               {"/admin%0d%0a", ""},
		"a trailing space is refused":                  {"/admin%20", ""},
		"a space before a slash is refused":            {"/admin%20/x", ""},
		"a leading space is refused":                   {"/%20admin", ""},
		"an escaped number sign is refused":            {"/admin%23", ""},
		"a raw fragment is refused":                    {"/admin#frag", ""},
		"an escaped question mark is refused":          {"/admin%3fx", ""},
		"double escaping is refused":                   {"/admin%252f", ""},
		"an overlong slash is refused":                 {"/%c0%af", ""},
		"an overlong letter is refused":                {"/%c1%a1dmin", ""},
		"a broken escape is refused":                   {"/admin%2", ""},
		"a raw space is refused":                       {"/a b", ""},
		"raw UTF-8 is refused":                         {"/café", ""},
		"the empty path is refused":                    {"", ""},
		"an asterisk is refused":                       {"*", ""},
		"absolute form is refused":                     {"https://localhost/admin", ""},
		"a very long path is refused":                  {"/" + strings.Repeat("a", 5000), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := edge.CanonicalPath(c.raw)
			if c.want == "" {
				if err == nil {
					t.Errorf("%q was accepted as %q", c.raw, got)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%q gave %q, %v; want %q", c.raw, got, err, c.want)
			}
		})
	}
}

// readings are how backends of several kinds read a path. Whatever we accept,
// all of them must read the same.
func readings(p string) []string {
	var all []string
	decoded, err := url.PathUnescape(p)
	if err != nil {
		return []string{"", "undecodable"}
	}
	all = append(all, decoded)
	all = append(all, path.Clean(decoded)+trailing(decoded)) // Go, nginx merge and resolve
	twice, err := url.PathUnescape(decoded)                  // a proxy and a backend that both decode
	if err == nil {
		all = append(all, twice)
	}
	beforeParams := decoded
	if i := strings.IndexByte(decoded, ';'); i >= 0 { // servlet containers cut path parameters
		beforeParams = decoded[:i]
	}
	all = append(all, beforeParams, strings.ReplaceAll(decoded, `\`, "/")) // IIS
	if i := strings.IndexByte(decoded, 0); i >= 0 {                        // C strings
		all = append(all, decoded[:i])
	}
	if i := strings.IndexAny(decoded, "?#"); i >= 0 {
		all = append(all, decoded[:i])
	}
	segments := strings.Split(decoded, "/")
	for i := range segments {
		segments[i] = strings.Trim(segments[i], " ")
	}
	return append(all, strings.Join(segments, "/"))
}

func trailing(p string) string {
	if len(p) > 1 && strings.HasSuffix(p, "/") {
		return "/"
	}
	return ""
}

// A backend decodes what it is asked for; a spelling that only a broader route
// takes would have it serve what the narrower one guards.
func TestNoSpellingOfAPathEscapesItsRoute(t *testing.T) {
	t.Parallel()
	refuse := stageFunc{"authorize", func(*pipeline.Transaction) error { return problem.New(problem.Forbidden, "") }}
	server, _ := serve(t,
		&pipeline.Route{Name: "any", Methods: []string{"POST"}, Pattern: "/v1/*"},
		&pipeline.Route{Name: "purge", Methods: []string{"POST"}, Pattern: "/v1/@admin:purge", Stages: []pipeline.Stage{refuse}},
	)
	for _, target := range []string{"/v1/@admin:purge", "/v1/@admin%3Apurge", "/v1/%40admin:purge", "/v1/%40%61dmin%3apurge"} {
		if status, body := raw(t, server, "POST "+target+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); status != 403 {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/admin", "//admin", "/x/%2e%2e/admin", "/..;/admin", "/%c0%af", "/caf%C3%A9", "/%252f", "/a%20b/", "/a/./b", "/a%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := edge.CanonicalPath(raw)
		if err != nil {
			return
		}
		if again, err := edge.CanonicalPath(got); err != nil || again != got {
			t.Errorf("not idempotent: %q gave %q, which gave %q, %v", raw, got, again, err)
		}
		decodedRaw, errRaw := url.PathUnescape(raw)
		decoded, err := url.PathUnescape(got)
		if errRaw != nil || err != nil || decodedRaw != decoded {
			t.Errorf("%q and its canonical form %q do not mean the same", raw, got)
		}
		if !utf8.ValidString(decoded) {
			t.Errorf("%q decodes to bytes that are not UTF-8", got)
		}
		for _, reading := range readings(got) {
			if reading != decoded {
				t.Errorf("%q is read as %q by us and as %q elsewhere", got, decoded, reading)
			}
		}
	})
}

func TestCanonicalPathOfAPlainPathAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := edge.CanonicalPath("/v1/guests/g-7/reservations"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
