package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

// An escaped slash is a part of a name where the route says so, and one segment
// stays one; everywhere else, and in every other trick with it, it is 400.
func TestEscapedSlashesPassWhereTheRouteTakesThem(t *testing.T) {
	t.Parallel()
	params := func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
		value, _ := tx.Params.Get("project")
		w.Header().Set("X-Saw", tx.Route.Name+" "+tx.Path+" "+value+" "+tx.Request.URL.EscapedPath())
		return pipeline.Result{Status: 200}, nil
	}
	server, _ := serve(t,
		&pipeline.Route{Name: "project", Methods: []string{"GET"}, Pattern: "/projects/{project}", EncodedSlash: true, Forward: forwardFunc(params)},
		&pipeline.Route{Name: "issues", Methods: []string{"GET"}, Pattern: "/projects/{project}/issues", Forward: forwardFunc(params)},
		&pipeline.Route{Name: "plain", Methods: []string{"GET"}, Pattern: "/plain/{project}", Forward: forwardFunc(params)},
		&pipeline.Route{Name: "files", Methods: []string{"GET"}, Pattern: "/files/*", EncodedSlash: true, Forward: forwardFunc(params)},
	)
	for name, c := range map[string]struct {
		target string
		status int
		saw    string
	}{
		"one segment stays one":                          {"/projects/a%2Fb", 200, "project /projects/a%2Fb a/b /projects/a%2Fb"},
		"its hex is in upper case for everybody":         {"/projects/a%2fb", 200, "project /projects/a%2Fb a/b /projects/a%2Fb"},
		"beside other escapes":                           {"/projects/%61%20b%2fc%c3%a9", 200, "project /projects/a%20b%2Fc%C3%A9 a b/cé /projects/a%20b%2Fc%C3%A9"},
		"what a star takes keeps it":                     {"/files/x/a%2Fb", 200, "files /files/x/a%2Fb  /files/x/a%2Fb"},
		"it does not lead to a longer route":             {"/projects/a%2Fissues", 200, "project /projects/a%2Fissues a/issues /projects/a%2Fissues"},
		"a longer route does not take it":                {"/projects/a%2Fb/issues", 400, ""},
		"a route that does not say so refuses it":        {"/plain/a%2Fb", 400, ""},
		"where no route stands it is 400 too":            {"/nothing/a%2Fb", 400, ""},
		"another method does not find a route by it":     {"/plain%2Fa", 400, ""},
		"a parent segment beside it is refused":          {"/projects/a%2F..%2Fadmin", 400, ""},
		"a parent segment before it is refused":          {"/projects/..%2Fadmin", 400, ""},
		"a dot segment after it is refused":              {"/projects/a%2F.", 400, ""},
		"an escaped parent segment beside it is refused": {"/projects/a%2F%2e%2e%2fb", 400, ""},
		"two of them make an empty segment":              {"/projects/a%2F%2Fb", 400, ""},
		"at the end of a path it is refused":             {"/projects/a%2F", 400, ""},
		"at the beginning of a segment it is refused":    {"/files/%2Fa", 400, ""},
		"at the end of a segment it is refused":          {"/files/a%2F/b", 400, ""},
		"a space beside it is refused":                   {"/projects/a%20%2Fb", 400, ""},
		"escaped twice it is refused":                    {"/projects/a%252Fb", 400, ""},
		"overlong it is refused":                         {"/projects/a%c0%afb", 400, ""},
		"a backslash in its place is refused":            {"/projects/a%5Cb", 400, ""},
		"a full-width slash is another character":        {"/projects/a%EF%BC%8Fb", 200, "project /projects/a%EF%BC%8Fb a／b /projects/a%EF%BC%8Fb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := http.ReadResponse(dialed(t, server, "GET "+c.target+" HTTP/1.1\r\nHost: localhost\r\n\r\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if saw := res.Header.Get("X-Saw"); res.StatusCode != c.status || saw != c.saw {
				t.Errorf("%d, the service sees %q; want %d, %q", res.StatusCode, saw, c.status, c.saw)
			}
		})
	}
}

func TestPlainHTTPSendsEscapedSlashesOnlyWhereTheyAreTaken(t *testing.T) {
	t.Parallel()
	s := &pipeline.Snapshot{Hosts: map[string]bool{"localhost": true}, HTTPS: 443, Routes: []*pipeline.Route{
		{Name: "project", Methods: []string{"GET"}, Pattern: "/projects/{project}", EncodedSlash: true}, {Name: "plain", Methods: []string{"GET"}, Pattern: "/plain/{project}"},
	}}
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	u, err := edge.NewUpgrader(current, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"/projects/a%2fb?x=1": "https://localhost/projects/a%2Fb?x=1", "/plain/a%2fb": "", "/projects/a%2f..": "", "/plain/a?x=1;y": "", "/plain/a?x=%zz": "",
		"/plain/a?" + strings.Repeat("a&", 257): "",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Host, r.RequestURI = "localhost", target
		u.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); to != want || want == "" && w.Code != 400 {
			t.Errorf("%.40s: %d, sent to %q, want %q", target, w.Code, to, want)
		}
	}
}

// Requests by what is no path of ours are refused before any route is asked.
func TestTargetsThatAreNoPath(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, &pipeline.Route{Name: "any", Methods: []string{"GET", "OPTIONS"}, Pattern: "/*"}, &pipeline.Route{Name: "root", Methods: []string{"GET", "OPTIONS"}, Pattern: "/"})
	for name, request := range map[string]string{
		"the asterisk is 400":                       "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"the asterisk of a GET is 400":              "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"an absolute form of this host is 400":      "GET http://localhost/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"an absolute form of another scheme is 400": "GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"an authority is 400":                       "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
		"a path for CONNECT is 400":                 "CONNECT /x/../admin HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a fragment is 400":                         "GET /x#admin HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a fragment of the query is 400":            "GET /x?a=1#admin HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"no slash is 400":                           "GET admin HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a host where the path should be is 400":    "GET //evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a flood of parameters is 400":              "GET /x?" + strings.Repeat("a&", 257) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a parameter that is not UTF-8 is 400":      "GET /x?a=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, body := raw(t, server, request); status != 400 {
				t.Errorf("%d: %s", status, body)
			}
		})
	}
	if status, body := raw(t, server, "GET http://evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 421 {
		t.Errorf("an absolute form of another host: %d: %s", status, body)
	}
}
