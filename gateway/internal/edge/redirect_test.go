package edge_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestRedirectRoutes(t *testing.T) {
	t.Parallel()
	to := func(to, pattern string, status int) *pipeline.Redirect {
		r, err := pipeline.NewRedirect(to, pattern, status)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	fields, err := pipeline.NewFields([]pipeline.Field{{Name: "Referrer-Policy", Value: "no-referrer"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, events := serve(t,
		&pipeline.Route{Name: "old", Methods: []string{"GET", "POST"}, Pattern: "/v1/{note}", Redirect: to("/v2/{note}", "/v1/{note}", 308), Response: fields},
		&pipeline.Route{Name: "away", Methods: []string{"GET"}, Pattern: "/go/*", Redirect: to("https://www.hotel.test/*", "/go/*", 302)},
		&pipeline.Route{Name: "denied", Methods: []string{"GET"}, Pattern: "/denied", Redirect: to("/v2", "/denied", 308), Stages: []pipeline.Stage{
			stageFunc{"authenticate", func(*pipeline.Transaction) error { return problem.New(problem.MissingToken, "") }},
		}},
	)
	for name, c := range map[string]struct {
		method, path string
		status       int
		location     string
	}{
		"a redirect answers in place of an upstream": {"GET", "/v1/n-1", 308, "/v2/n-1"},
		"for HEAD as for GET":                        {"HEAD", "/v1/n-1", 308, "/v2/n-1"},
		"a POST stays one":                           {"POST", "/v1/n-1", 308, "/v2/n-1"},
		"the query goes along":                       {"GET", "/v1/n-1?a=b&c=%20", 308, "/v2/n-1?a=b&c=%20"},
		"what was escaped stays so":                  {"GET", "/v1/a%20b%5B%C3%A9", 308, "/v2/a%20b%5B%C3%A9"},
		"a path is not a host":                       {"GET", "/go/evil.example", 302, "https://www.hotel.test/evil.example"},
		"an empty segment makes none":                {"GET", "/go//evil.example", 400, ""},
		"nor an escaped slash":                       {"GET", "/go/%2fevil.example", 400, ""},
		"nor a backslash":                            {"GET", "/go/%5cevil.example", 400, ""},
		"nor a question mark from within":            {"GET", "/v1/a%3fb", 400, ""},
		"nor a line break":                           {"GET", "/v1/a%0d%0aSet-Cookie:b", 400, ""},
		"stages are asked first":                     {"GET", "/denied", 401, ""},
	} {
		res, body := ask(t, server, c.method, c.path)
		event := events.last(t)
		if got := res.Header.Get("Location"); res.StatusCode != c.status || got != c.location || c.location != "" && body != "" {
			t.Errorf("%s: %d to %q with %q; want %d to %q", name, res.StatusCode, got, body, c.status, c.location)
		}
		if strings.HasPrefix(c.location, "/v2") && (res.Header.Get("Referrer-Policy") != "no-referrer" || len(res.Header.Get("X-Request-Id")) != 32) {
			t.Errorf("%s: %v", name, res.Header)
		}
		if decision := event["portcullis"].(map[string]any)["decision"]; event["http.response.status_code"] != float64(c.status) || (decision == "allow") != (c.location != "") {
			t.Errorf("%s: the event says %v", name, event)
		}
	}
}

// A client that waits before it sends gets its redirect, and what it sends
// afterwards is no request.
func TestARedirectDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	r, err := pipeline.NewRedirect("/v2", "/v1", 308)
	if err != nil {
		t.Fatal(err)
	}
	server, _ := serve(t, &pipeline.Route{Name: "old", Methods: []string{"POST"}, Pattern: "/v1", Redirect: r})
	status, _ := raw(t, server, "POST /v1 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n")
	if status != 308 {
		t.Errorf("status %d", status)
	}
}

// plainListener is what plain HTTP is answered by.
func plainListener(t *testing.T, port int) (*httptest.Server, *prometheus.Registry) {
	t.Helper()
	current := &pipeline.Current{}
	if port != 0 {
		s := &pipeline.Snapshot{Hosts: map[string]bool{"api.hotel.test": true, "::1": true}, HTTPS: port}
		s.Index()
		current.Store(s)
	}
	metrics := prometheus.NewRegistry()
	u, err := edge.NewUpgrader(current, metrics)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(u)
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server, metrics
}

func TestPlainHTTPIsSentToHTTPS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		port     int
		request  string
		status   int
		location string
	}{
		"to the same host and path":          {443, "GET /v1/notes HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 308, "https://api.hotel.test/v1/notes"},
		"with its query":                     {443, "GET /v1?a=b HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 308, "https://api.hotel.test/v1?a=b"},
		"whatever the port it came by":       {443, "GET / HTTP/1.1\r\nHost: API.hotel.test:8080\r\n\r\n", 308, "https://api.hotel.test/"},
		"to the public port":                 {8443, "GET / HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 308, "https://api.hotel.test:8443/"},
		"also an address":                    {8443, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 308, "https://[::1]:8443/"},
		"a POST as it is, without its body":  {443, "POST /v1/notes HTTP/1.1\r\nHost: api.hotel.test\r\nContent-Length: 9\r\n\r\n", 308, "https://api.hotel.test/v1/notes"},
		"in the one spelling":                {443, "GET /caf%c3%a9/%61 HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 308, "https://api.hotel.test/caf%C3%A9/a"},
		"another host is not served":         {443, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, ""},
		"nor one that begins like ours":      {443, "GET / HTTP/1.1\r\nHost: api.hotel.test.evil.example\r\n\r\n", 421, ""},
		"nor one in another spelling":        {443, "GET / HTTP/1.1\r\nHost: api_hotel.test\r\n\r\n", 421, ""},
		"nor none":                           {443, "GET / HTTP/1.0\r\n\r\n", 421, ""},
		"a path of two readings is refused":  {443, "GET //evil.example HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 400, ""},
		"a whole address is refused":         {443, "GET http://evil.example/ HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 421, ""},
		"a question about the server is too": {443, "OPTIONS * HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 400, ""},
		"a tunnel is too":                    {443, "CONNECT api.hotel.test:22 HTTP/1.1\r\nHost: api.hotel.test:22\r\n\r\n", 400, ""},
		"a fragment is too":                  {443, "GET /a#b HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 400, ""},
		"a query of two readings is too":     {443, "GET /?a;b HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 400, ""},
		"without a policy nothing is served": {0, "GET / HTTP/1.1\r\nHost: api.hotel.test\r\n\r\n", 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, metrics := plainListener(t, c.port)
			res := answered(t, server, c.request)
			if got := res.Header.Get("Location"); res.StatusCode != c.status || got != c.location || !res.Close {
				t.Errorf("%d to %q, closing %v; want %d to %q", res.StatusCode, got, res.Close, c.status, c.location)
			}
			if n, err := testutil.GatherAndCount(metrics, "portcullis_plain_requests_total"); n != 1 || err != nil {
				t.Errorf("%d series count it, %v", n, err)
			}
		})
	}
}

// answered sends bytes as they are and gives the answer, read to its end.
func answered(t *testing.T, server *httptest.Server, request string) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(dialed(t, server, request), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}
