package policy

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
)

func TestWhichPathsMeetAFloor(t *testing.T) {
	t.Parallel()
	cases := []struct {
		floor, path string
		want        bool
	}{
		{"/v1/*", "/v1/hotels", true},
		{"/v1/*", "/v1/hotels/{hotel}", true},
		{"/v1/*", "/v1/*", true},
		{"/v1/*", "/v1", false},
		{"/v1/*", "/v2/hotels", false},
		{"/v1/*", "/v10/hotels", false},
		{"/v1/*", "/{version}/hotels", true},
		{"/v1/*", "/{page}", false},
		{"/v1/*", "/*", true},
		{"/v1/*", "/", false},
		{"/*", "/", true},
		{"/*", "/about", true},
		{"/v1/admin", "/v1/admin", true},
		{"/v1/admin", "/v1/{what}", true},
		{"/v1/admin", "/v1/admin/users", false},
		{"/v1/admin", "/v1/*", true},
		{"/v1/{x}/rooms", "/v1/hotels/*", true},
		{"/v1/{x}/rooms", "/v1/hotels/beds", false},
	}
	for _, c := range cases {
		if got := cut(c.floor).overlaps(cut(c.path)); got != c.want {
			t.Errorf("floor %s meets %s: %v, want %v", c.floor, c.path, got, c.want)
		}
		if got := cut(c.path).overlaps(cut(c.floor)); got != c.want {
			t.Errorf("%s meets floor %s: %v, want %v", c.path, c.floor, got, c.want)
		}
	}
}

// The router panics on a pattern it cannot take; a policy must never get there.
// And where two routes' patterns both match a path, they overlap.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/v1/hotels/{hotel}", "/assets/*", "/{a}/{a}", "/{a", "/a}", "/*/x", "/{a:[}", "/a{b}*"} {
		f.Add(seed, "/v1/{x}", "/v1/hotels")
	}
	f.Fuzz(func(t *testing.T, path, other, request string) {
		if wrongPath(path) != "" || wrongPath(other) != "" {
			return
		}
		matches := func(pattern string) bool {
			router := chi.NewRouter()
			router.Method("GET", pattern, http.NotFoundHandler())
			return router.Find(chi.NewRouteContext(), "GET", request) != ""
		}
		if wrongPath(request) == "" && matches(path) && matches(other) && !cut(path).overlaps(cut(other)) {
			t.Errorf("%q and %q both match %q and are said not to overlap", path, other, request)
		}
		if path != other && cut(path).shape() == cut(other).shape() && matches(path) != matches(other) {
			t.Errorf("%q and %q have one shape, and only one matches %q", path, other, request)
		}
	})
}
