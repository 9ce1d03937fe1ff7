package pipeline_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

// snapshot is one with these routes, written METHOD /pattern, named as written.
func snapshot(matches ...[2]string) *pipeline.Snapshot {
	s := &pipeline.Snapshot{}
	for _, m := range matches {
		s.Routes = append(s.Routes, &pipeline.Route{Name: m[0] + " " + m[1], Methods: []string{m[0]}, Pattern: m[1]})
	}
	s.Index()
	return s
}

func TestMatch(t *testing.T) {
	t.Parallel()
	s := snapshot(
		[2]string{"GET", "/"},
		[2]string{"GET", "/v1/hotels"},
		[2]string{"POST", "/v1/hotels"},
		[2]string{"GET", "/v1/hotels/{hotel}"},
		[2]string{"GET", "/v1/hotels/best"},
		[2]string{"PUT", "/v1/hotels/{id}"},
		[2]string{"GET", "/v1/guests/{guest}/reservations/{reservation}"},
		[2]string{"GET", "/v1/guests/me/stays"},
		[2]string{"GET", "/v1/guests/{guest}/stays/last"},
		[2]string{"HEAD", "/v1/alive"},
		[2]string{"GET", "/v1/alive"},
		[2]string{"GET", "/assets/*"},
	)
	cases := map[string]struct {
		method, path string
		want         string
		params       pipeline.Params
	}{
		"a fixed path is itself":                        {"GET", "/v1/hotels", "GET /v1/hotels", nil},
		"the root is a path":                            {"GET", "/", "GET /", nil},
		"each method has its own route":                 {"POST", "/v1/hotels", "POST /v1/hotels", nil},
		"a parameter takes one segment":                 {"GET", "/v1/hotels/h-7", "GET /v1/hotels/{hotel}", pipeline.Params{{Name: "hotel", Value: "h-7"}}},
		"parameters keep the names of their own route":  {"PUT", "/v1/hotels/h-7", "PUT /v1/hotels/{id}", pipeline.Params{{Name: "id", Value: "h-7"}}},
		"parameters come in the order of the pattern":   {"GET", "/v1/guests/g-7/reservations/r-1", "GET /v1/guests/{guest}/reservations/{reservation}", pipeline.Params{{Name: "guest", Value: "g-7"}, {Name: "reservation", Value: "r-1"}}},
		"an escape stays as it is":                      {"GET", "/v1/hotels/caf%C3%A9", "GET /v1/hotels/{hotel}", pipeline.Params{{Name: "hotel", Value: "caf%C3%A9"}}},
		"a fixed segment beats a parameter":             {"GET", "/v1/hotels/best", "GET /v1/hotels/best", nil},
		"what a fixed segment has not, a parameter may": {"PUT", "/v1/hotels/best", "PUT /v1/hotels/{id}", pipeline.Params{{Name: "id", Value: "best"}}},
		"a fixed segment that leads nowhere is left":    {"GET", "/v1/guests/me/stays/last", "GET /v1/guests/{guest}/stays/last", pipeline.Params{{Name: "guest", Value: "me"}}},
		"HEAD has its own route where there is one":     {"HEAD", "/v1/alive", "HEAD /v1/alive", nil},
		"HEAD is served by GET where there is none":     {"HEAD", "/v1/hotels/h-7", "GET /v1/hotels/{hotel}", pipeline.Params{{Name: "hotel", Value: "h-7"}}},
		"a star takes the rest":                         {"GET", "/assets/css/site.css", "GET /assets/*", pipeline.Params{{Name: "*", Value: "css/site.css"}}},
		"a parameter takes no slash":                    {"GET", "/v1/hotels/h-7/rooms", "", nil},
		"a parameter takes something":                   {"GET", "/v1/hotels/", "", nil},
		"a final slash is another path":                 {"GET", "/v1/alive/", "", nil},
		"case counts":                                   {"GET", "/V1/hotels", "", nil},
		"another method has no route":                   {"DELETE", "/v1/hotels", "", nil},
		"a method in lower case is another one":         {"get", "/v1/hotels", "", nil},
		"a method nobody knows has no route":            {"FROB", "/v1/hotels", "", nil},
		"a target that is no path has no route":         {"OPTIONS", "*", "", nil},
		"the empty path has no route":                   {"GET", "", "", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			route, params := s.Match("api.hotel.test", c.method, c.path, nil)
			var got string
			if route != nil {
				got = route.Name
			}
			if got != c.want {
				t.Errorf("matched %q, want %q", got, c.want)
			}
			if diff := cmp.Diff(c.params, params); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMatchTakesThePlaceItIsGiven(t *testing.T) {
	t.Parallel()
	s := snapshot([2]string{"GET", "/v1/hotels/{hotel}"})
	room := make(pipeline.Params, 0, 4)
	_, params := s.Match("api.hotel.test", "GET", "/v1/hotels/h-7", room)
	if len(params) != 1 || &params[0] != &room[:1][0] {
		t.Errorf("%v was put elsewhere", params)
	}
	if _, params := s.Match("api.hotel.test", "GET", "/nowhere", room); len(params) != 0 {
		t.Errorf("no route, but parameters %v", params)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	s := snapshot(
		[2]string{"GET", "/v1/hotels"},
		[2]string{"POST", "/v1/hotels"},
		[2]string{"DELETE", "/v1/hotels/{hotel}"},
		[2]string{"HEAD", "/v1/alive"},
		[2]string{"GET", "/v1/alive"},
		[2]string{"HEAD", "/v1/quiet"},
	)
	for name, c := range map[string]struct{ path, want string }{
		"every method with a route is listed, HEAD with GET": {"/v1/hotels", "GET, HEAD, POST"},
		"a route without GET has no HEAD":                    {"/v1/hotels/h-7", "DELETE"},
		"HEAD is listed once":                                {"/v1/alive", "GET, HEAD"},
		"HEAD may stand alone":                               {"/v1/quiet", "HEAD"},
		"a path without a route lists nothing":               {"/v1/nothing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := s.Allowed("api.hotel.test", c.path); got != c.want {
				t.Errorf("Allow: %q, want %q", got, c.want)
			}
		})
	}
}

func TestParamsGet(t *testing.T) {
	t.Parallel()
	p := pipeline.Params{{Name: "guest", Value: "g-7"}, {Name: "empty", Value: ""}}
	if v, ok := p.Get("guest"); v != "g-7" || !ok {
		t.Errorf("guest is %q, %v", v, ok)
	}
	if v, ok := p.Get("empty"); v != "" || !ok {
		t.Errorf("an empty value is %q, %v", v, ok)
	}
	if v, ok := p.Get("hotel"); v != "" || ok {
		t.Errorf("a parameter the route has not is %q, %v", v, ok)
	}
}

func TestCurrentHoldsTheLastStored(t *testing.T) {
	t.Parallel()
	var c pipeline.Current
	if c.Load() != nil {
		t.Error("there is a snapshot before the first")
	}
	for _, s := range []*pipeline.Snapshot{{Version: "1"}, {Version: "2"}} {
		c.Store(s)
		if c.Load() != s {
			t.Errorf("version %s is not in force", s.Version)
		}
	}
}

// onHosts is a snapshot of routes written "METHODS /pattern host host".
func onHosts(written ...string) *pipeline.Snapshot {
	s := &pipeline.Snapshot{}
	for _, w := range written {
		parts := strings.Fields(w)
		route := &pipeline.Route{Name: w, Methods: strings.Split(parts[0], ","), Pattern: parts[1]}
		if len(parts) > 2 {
			route.Hosts = parts[2:]
		}
		s.Routes = append(s.Routes, route)
	}
	s.Index()
	return s
}

func TestHostsHaveTheirOwnRoutesAndThoseOfEveryHost(t *testing.T) {
	t.Parallel()
	s := onHosts(
		"GET,POST /v1/notes",
		"GET /v1/{thing} api admin",
		"DELETE /v1/notes admin",
		"GET /v1/notes/{note} desk",
	)
	for name, c := range map[string]struct{ host, method, path, want, allowed string }{
		"a route without hosts is everyone's":                {"www", "GET", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"each of its methods is served":                      {"www", "POST", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"HEAD is served by a GET among several":              {"api", "HEAD", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"also on a host with routes of its own":              {"desk", "GET", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"a route of a host is that host's":                   {"api", "GET", "/v1/rooms", "GET /v1/{thing} api admin", "GET, HEAD"},
		"and that other's it names":                          {"admin", "GET", "/v1/rooms", "GET /v1/{thing} api admin", "GET, HEAD"},
		"and nobody else's":                                  {"www", "GET", "/v1/rooms", "", ""},
		"nor of a host with other routes":                    {"desk", "GET", "/v1/rooms", "", ""},
		"the most specific path wins, whoever's it is":       {"api", "GET", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"a method of one host is not allowed on another":     {"api", "DELETE", "/v1/notes", "", "GET, HEAD, POST"},
		"it is on its own, and listed there":                 {"admin", "DELETE", "/v1/notes", "DELETE /v1/notes admin", "GET, HEAD, POST, DELETE"},
		"a host nobody knows has what every host has":        {"", "GET", "/v1/notes", "GET,POST /v1/notes", "GET, HEAD, POST"},
		"a host that only looks like one is another":         {"api.evil", "GET", "/v1/rooms", "", ""},
		"the parameter of a host's route is its own segment": {"desk", "GET", "/v1/notes/n-1", "GET /v1/notes/{note} desk", "GET, HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			route, _ := s.Match(c.host, c.method, c.path, nil)
			got := ""
			if route != nil {
				got = route.Name
			}
			if got != c.want {
				t.Errorf("matched %q, want %q", got, c.want)
			}
			if allowed := s.Allowed(c.host, c.path); allowed != c.allowed {
				t.Errorf("Allow: %q, want %q", allowed, c.allowed)
			}
		})
	}
}
