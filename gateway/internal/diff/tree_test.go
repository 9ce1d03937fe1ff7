package diff

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// What is compared are the routes that the gateway would choose.
func TestRequestsAreRoutedAsTheGatewayRoutesThem(t *testing.T) {
	t.Parallel()
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		snapshot := &pipeline.Snapshot{Hosts: map[string]bool{"a.test": true}}
		planted := &tree{}
		seen := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "routes") {
			pattern := drawPattern(t)
			methods := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"GET", "HEAD", "POST"}), 1, 3, rapid.ID[string]).Draw(t, "methods")
			taken := false
			for _, m := range methods {
				taken = taken || seen[m+cut(pattern).shape()]
			}
			if taken {
				continue // a mistake in any policy
			}
			for _, m := range methods {
				seen[m+cut(pattern).shape()] = true
			}
			name := strings.Join(methods, ",") + " " + pattern
			snapshot.Routes = append(snapshot.Routes, &pipeline.Route{Name: name, Methods: methods, Pattern: pattern})
			planted.add(cut(pattern), &served{Route: &policy.Route{Name: policy.Value[string]{V: name}}, methods: methods})
		}
		snapshot.Index()
		for range 20 {
			method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT"}).Draw(t, "method")
			path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"n", "m", "nm", "z"}), 0, 5).Draw(t, "path"), "/")
			if rapid.IntRange(0, 3).Draw(t, "slash") == 0 && path != "/" {
				path += "/"
			}
			var want, got string
			if r, _ := snapshot.Match("a.test", method, path, nil); r != nil {
				want = r.Name
				found++
			}
			if r := planted.match(method, cut(path)); r != nil {
				got = r.Name.V
			}
			if got != want {
				t.Fatalf("%s %s is routed to %q, by the gateway to %q", method, path, got, want)
			}
		}
	})
	if found == 0 {
		t.Error("no request found a route: the test shows nothing")
	}
}

func drawPattern(t *rapid.T) string {
	var pattern string
	params := []string{"{a}", "{b}", "{c}"}
	for i := range rapid.IntRange(0, 3).Draw(t, "length") {
		pattern += "/" + rapid.SampledFrom([]string{"n", "m", "nm", params[i]}).Draw(t, "segment")
	}
	if pattern == "" || rapid.IntRange(0, 3).Draw(t, "star") == 0 {
		if rapid.Bool().Draw(t, "root") && pattern == "" {
			return "/"
		}
		pattern += "/*"
	}
	return pattern
}
