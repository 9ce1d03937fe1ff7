package edge_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

const app = "https://app.hotel.test"

func sharedWith(t *testing.T, methods ...string) *pipeline.CORS {
	t.Helper()
	c, err := pipeline.NewCORS(pipeline.CORSConfig{
		Place: "notes.yaml:7", Origins: []string{app}, Headers: []string{"Content-Type"}, Expose: []string{"Location"}, Methods: methods,
		Credentials: true, MaxAge: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a request with fields written "Name: value" and gives the answer.
func ask(t *testing.T, server *httptest.Server, method, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// corsFields are those an answer has, and what it varies by.
func corsFields(res *http.Response) map[string]string {
	got := map[string]string{}
	for name, values := range res.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			got[strings.TrimPrefix(name, "Access-Control-")] = strings.Join(values, ", ")
		}
	}
	return got
}

func TestPreflightsAreAnsweredByTheAnnouncedRoute(t *testing.T) {
	t.Parallel()
	unasked := func(name string) pipeline.Stage {
		return stageFunc{name, func(*pipeline.Transaction) error { return errors.New("a preflight was asked") }}
	}
	notes := &pipeline.Route{
		Name: "notes", Methods: []string{"PUT", "GET"}, Pattern: "/notes/{note}", CORS: sharedWith(t, "PUT", "GET"),
		Stages: []pipeline.Stage{stageFunc{"source-limit", func(*pipeline.Transaction) error { return nil }}, unasked("authenticate")},
	}
	own := &pipeline.Route{Name: "own", Methods: []string{"OPTIONS"}, Pattern: "/own"}
	beside := &pipeline.Route{Name: "beside", Methods: []string{"PUT"}, Pattern: "/own", CORS: sharedWith(t, "PUT")}
	plain := &pipeline.Route{Name: "plain", Methods: []string{"PUT"}, Pattern: "/plain"}
	server, events := serve(t, notes, own, beside, plain)

	const preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	granted := map[string]string{
		"Allow-Origin": app, "Allow-Methods": "PUT, GET", "Allow-Credentials": "true", "Max-Age": "60", "Vary": preflightVary,
	}
	for name, c := range map[string]struct {
		path   string
		fields []string
		status int
		cors   map[string]string
		route  string
		stage  string
	}{
		"a listed page may":                           {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: PUT"}, 204, granted, "notes", ""},
		"HEAD is announced as what serves it":         {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: HEAD"}, 204, granted, "notes", ""},
		"another page may not":                        {"/notes/n-1", []string{"Origin: https://app.hotel.test.evil.example", "Access-Control-Request-Method: PUT"}, 403, map[string]string{"Vary": preflightVary + ", Accept"}, "notes", "cors"},
		"a sandboxed frame may not":                   {"/notes/n-1", []string{"Origin: null", "Access-Control-Request-Method: PUT"}, 403, map[string]string{"Vary": preflightVary + ", Accept"}, "notes", "cors"},
		"a field that is not listed may not":          {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-admin"}, 403, map[string]string{"Vary": preflightVary + ", Accept"}, "notes", "cors"},
		"a method without a route is 405":             {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: DELETE"}, 405, map[string]string{"Vary": "Accept"}, "", ""},
		"a method in lower case has none":             {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: put"}, 405, map[string]string{"Vary": "Accept"}, "", ""},
		"a path without a route is 404":               {"/nothing", []string{"Origin: " + app, "Access-Control-Request-Method: PUT"}, 404, map[string]string{"Vary": "Accept"}, "", ""},
		"without an origin it is an OPTIONS":          {"/notes/n-1", []string{"Access-Control-Request-Method: PUT"}, 405, map[string]string{"Vary": "Accept"}, "", ""},
		"without a method too":                        {"/notes/n-1", []string{"Origin: " + app}, 405, map[string]string{"Vary": "Accept"}, "", ""},
		"two methods announce none":                   {"/notes/n-1", []string{"Origin: " + app, "Access-Control-Request-Method: PUT", "Access-Control-Request-Method: GET"}, 405, map[string]string{"Vary": "Accept"}, "", ""},
		"an OPTIONS route of the policy's own serves": {"/own", []string{"Origin: " + app, "Access-Control-Request-Method: PUT"}, 200, map[string]string{}, "own", ""},
		"a route without CORS is as ever":             {"/plain", []string{"Origin: " + app, "Access-Control-Request-Method: PUT"}, 405, map[string]string{"Vary": "Accept"}, "", ""},
	} {
		res, body := ask(t, server, "OPTIONS", c.path, c.fields...)
		event := events.last(t)
		inner := event["portcullis"].(map[string]any)
		if res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, res.StatusCode, c.status, body)
		}
		if diff := cmp.Diff(c.cors, corsFields(res)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		route, _ := inner["route"].(string)
		stage, _ := inner["stage"].(string)
		if route != c.route || stage != c.stage || event["http.response.status_code"] != float64(c.status) {
			t.Errorf("%s: the event says route %q, stage %q, status %v", name, route, stage, event["http.response.status_code"])
		}
		if c.stage == "cors" && (inner["rule"] != "cors (notes.yaml:7)" || !strings.Contains(inner["cause"].(string), "is not listed")) {
			t.Errorf("%s: the event does not say why: %v", name, inner)
		}
		if c.status == 204 && (body != "" || res.Header.Get("Content-Length") != "" || inner["decision"] != "allow") {
			t.Errorf("%s: %q with %v, decided %v", name, body, res.Header, inner["decision"])
		}
		if c.status == 405 && c.path == "/notes/n-1" && res.Header.Get("Allow") != "PUT, GET, HEAD" {
			t.Errorf("%s: Allow is %q", name, res.Header.Get("Allow"))
		}
	}
}

// Nobody floods the gateway with questions about routes.
func TestAFloodOfPreflightsMeetsTheLimit(t *testing.T) {
	t.Parallel()
	left := 2
	server, events := serve(t, &pipeline.Route{Name: "notes", Methods: []string{"PUT"}, Pattern: "/", CORS: sharedWith(t, "PUT"), Stages: []pipeline.Stage{
		stageFunc{"source-limit", func(tx *pipeline.Transaction) error {
			if left--; left < 0 {
				tx.Rule = "per-source"
				return problem.New(problem.TooManyRequests, "").With("Retry-After", "1")
			}
			return nil
		}},
	}})
	// What is refused counts as well: a page on no list cannot ask for ever.
	for i, c := range []struct {
		origin, stage string
		status        int
	}{{app, "", 204}, {"https://evil.example", "cors", 403}, {app, "source-limit", 429}} {
		res, body := ask(t, server, "OPTIONS", "/", "Origin: "+c.origin, "Access-Control-Request-Method: PUT")
		stage, _ := events.last(t)["portcullis"].(map[string]any)["stage"].(string)
		if res.StatusCode != c.status || stage != c.stage {
			t.Errorf("request %d: %d by %q, want %d by %q: %s", i, res.StatusCode, stage, c.status, c.stage, body)
		}
		if c.status != 204 && res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("request %d is refused and shared: %v", i, res.Header)
		}
	}
}

func TestPagesCanReadWhatTheyAreAnswered(t *testing.T) {
	t.Parallel()
	refuse := func(p *problem.Problem) []pipeline.Stage {
		return []pipeline.Stage{stageFunc{"authenticate", func(*pipeline.Transaction) error { return p }}}
	}
	cors := sharedWith(t, "GET")
	server, events := serve(t,
		&pipeline.Route{Name: "401", Methods: []string{"GET"}, Pattern: "/401", CORS: cors, Stages: refuse(problem.New(problem.MissingToken, ""))},
		&pipeline.Route{Name: "429", Methods: []string{"GET"}, Pattern: "/429", CORS: cors, Stages: refuse(problem.New(problem.TooManyRequests, ""))},
		&pipeline.Route{Name: "500", Methods: []string{"GET"}, Pattern: "/500", CORS: cors, Stages: []pipeline.Stage{stageFunc{"inspect", func(*pipeline.Transaction) error { panic("broken") }}}},
		&pipeline.Route{Name: "502", Methods: []string{"GET"}, Pattern: "/502", CORS: cors, Forward: forwardFunc(func(http.ResponseWriter, *pipeline.Transaction) (pipeline.Result, error) {
			return pipeline.Result{}, errors.New("no answer")
		})},
		&pipeline.Route{Name: "413", Methods: []string{"GET"}, Pattern: "/413", CORS: cors, Body: 1},
		&pipeline.Route{Name: "plain", Methods: []string{"GET"}, Pattern: "/plain", Stages: refuse(problem.New(problem.MissingToken, ""))},
	)
	for _, path := range []string{"/401", "/429", "/500", "/502"} {
		for origin, want := range map[string]map[string]string{
			app:                    {"Allow-Origin": app, "Allow-Credentials": "true", "Expose-Headers": "Location", "Vary": "Origin, Accept"},
			"https://evil.example": {"Vary": "Origin, Accept"},
			"null":                 {"Vary": "Origin, Accept"},
		} {
			res, _ := ask(t, server, "GET", path, "Origin: "+origin)
			events.last(t)
			if diff := cmp.Diff(want, corsFields(res)); res.Status[:3] != path[1:] || diff != "" {
				t.Errorf("%s for %s: %s: %s", path, origin, res.Status, diff)
			}
		}
	}
	res := answered(t, server, "GET /413 HTTP/1.1\r\nHost: localhost\r\nOrigin: "+app+"\r\nContent-Length: 2\r\n\r\nab")
	if events.last(t); res.StatusCode != 413 || res.Header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("refused before any stage: %d %v", res.StatusCode, res.Header)
	}
	res, _ = ask(t, server, "GET", "/plain", "Origin: "+app)
	if diff := cmp.Diff(map[string]string{"Vary": "Accept"}, corsFields(res)); diff != "" {
		t.Errorf("a route without CORS: %s", diff)
	}
}
