package pipeline_test

import (
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestRedirectLocation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to, pattern string
		params      pipeline.Params
		query, want string
	}{
		"a path stays on the host asked":     {"/v2/notes", "/v1/notes", nil, "", "/v2/notes"},
		"the query goes along":               {"/v2/notes", "/v1/notes", nil, "a=b&c=%20", "/v2/notes?a=b&c=%20"},
		"another host is the policy's":       {"https://www.hotel.test/{x}", "/{x}", pipeline.Params{{Name: "x", Value: "a"}}, "", "https://www.hotel.test/a"},
		"its port stays":                     {"https://www.hotel.test:8443", "/{x}", nil, "", "https://www.hotel.test:8443/"},
		"a value is no host":                 {"/{x}", "/go/{x}", pipeline.Params{{Name: "x", Value: "/evil.example"}}, "", "/%2Fevil.example"},
		"nor with a backslash":               {"/{x}", "/go/{x}", pipeline.Params{{Name: "x", Value: `\evil.example`}}, "", "/%5Cevil.example"},
		"nor a user of another host":         {"https://www.hotel.test/{x}", "/{x}", pipeline.Params{{Name: "x", Value: "@evil.example"}}, "", "https://www.hotel.test/%40evil.example"},
		"an empty parameter makes no host":   {"/{x}/{y}", "/{x}/{y}", pipeline.Params{{Name: "x", Value: ""}, {Name: "y", Value: "evil.example"}}, "", ""},
		"nor does what a star took":          {"/*", "/go/*", pipeline.Params{{Name: "*", Value: "/evil.example"}}, "", ""},
		"a line break starts no other field": {"/{x}", "/go/{x}", pipeline.Params{{Name: "x", Value: "a\r\nSet-Cookie: b"}}, "", "/a%0D%0ASet-Cookie%3A%20b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := pipeline.NewRedirect(c.to, c.pattern, 308)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Location(c.params, c.query)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("gave %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestRedirectsThatNameNoPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to     string
		status int
	}{
		"a host of the caller's choice":  {"https://{x}/a", 308},
		"half a host of theirs":          {"https://{x}.hotel.test/a", 308},
		"a host without a scheme":        {"//evil.example/", 308},
		"a script":                       {"javascript://x/%0aalert(1)", 308},
		"a user":                         {"https://hotel.test@evil.example/", 308},
		"no host":                        {"https:///a", 308},
		"a query":                        {"/a?x=1", 308},
		"a line break":                   {"https://hotel.test\r\nX: 1/", 308},
		"a status that is no redirect's": {"/a", 200},
		"one that changes a cache":       {"/a", 304},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := pipeline.NewRedirect(c.to, "/go/{x}", c.status); err == nil {
				t.Errorf("%d to %q was taken", c.status, c.to)
			}
		})
	}
}
