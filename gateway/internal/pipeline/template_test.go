package pipeline_test

import (
	"net/url"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestTemplatePath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, pattern string
		params        pipeline.Params
		want          string
	}{
		"a literal is itself":                  {"/v2/hotels", "/v1/hotels", nil, "/v2/hotels"},
		"the root is a path":                   {"/", "/v1/{x}", nil, "/"},
		"a final slash stays":                  {"/v2/", "/v1", nil, "/v2/"},
		"a parameter stands where it is named": {"/v2/{hotel}/rooms", "/v1/{hotel}", pipeline.Params{{Name: "hotel", Value: "h-7"}}, "/v2/h-7/rooms"},
		"it may stand twice":                   {"/{x}/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "a"}}, "/a/a"},
		"a star takes what the match's took":   {"/static/*", "/assets/*", pipeline.Params{{Name: "*", Value: "css/site.css"}}, "/static/css/site.css"},
		"also when that is nothing":            {"/static/*", "/assets/*", pipeline.Params{{Name: "*", Value: ""}}, "/static/"},
		"a question mark stays in its segment": {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "a?admin=1"}}, "/v2/a%3Fadmin%3D1"},
		"a number sign too":                    {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "a#b"}}, "/v2/a%23b"},
		"a slash in a parameter is no slash":   {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "../admin"}}, "/v2/..%2Fadmin"},
		"nor is a backslash":                   {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: `\admin`}}, "/v2/%5Cadmin"},
		"a per cent sign is escaped again":     {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "%2e"}}, "/v2/%252e"},
		"a line break cannot end a line":       {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "a\r\nb"}}, "/v2/a%0D%0Ab"},
		"letters beyond ASCII are bytes":       {"/v2/{x}", "/v1/{x}", pipeline.Params{{Name: "x", Value: "café"}}, "/v2/caf%C3%A9"},
		"a plus is no space":                   {"/v2/*", "/v1/*", pipeline.Params{{Name: "*", Value: "a+b/c d"}}, "/v2/a%2Bb/c%20d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, err := pipeline.NewTemplate(c.text, c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := template.Path(c.params); got != c.want {
				t.Errorf("gave %q, want %q", got, c.want)
			}
		})
	}
}

func TestTemplatesThatAreNoPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, pattern string }{
		"without a slash":               {"v2", "/v1"},
		"another site's address":        {"//evil.example", "/v1"},
		"an empty segment":              {"/a//b", "/v1"},
		"a dot segment":                 {"/a/../b", "/v1"},
		"a parameter the match has not": {"/v2/{x}", "/v1/{y}"},
		"a star the match has not":      {"/v2/*", "/v1/{y}"},
		"a star in the middle":          {"/*/v2", "/v1/*"},
		"half a segment of a parameter": {"/v2/a{x}", "/v1/{x}"},
		"a query":                       {"/v2?x=1", "/v1"},
		"an escape":                     {"/v2/%2e%2e", "/v1"},
		"a backslash":                   {`/\evil.example`, "/v1"},
		"a line break":                  {"/v2\r\nX-Evil: 1", "/v1"},
		"a path parameter":              {"/..;/admin", "/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := pipeline.NewTemplate(c.text, c.pattern); err == nil {
				t.Errorf("%q was taken", c.text)
			}
		})
	}
}

// Whatever a client had decoded, a path built of it says the same to everyone:
// one segment a parameter, and no more slashes than the template has.
func FuzzTemplatePath(f *testing.F) {
	for _, seed := range []string{"a", "..", "/", "//evil.example", "%2f", "?", "#", ";", "\x00", "é", "\xff"} {
		f.Add(seed)
	}
	template, err := pipeline.NewTemplate("/v2/{x}/end", "/v1/{x}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		path := template.Path(pipeline.Params{{Name: "x", Value: value}})
		inner, ok := strings.CutPrefix(path, "/v2/")
		if inner, ok2 := strings.CutSuffix(inner, "/end"); !ok || !ok2 || strings.ContainsAny(inner, "/?#;\\\r\n ") {
			t.Fatalf("%q gave %q", value, path)
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path != "/v2/"+value+"/end" || u.RawQuery != "" {
			t.Errorf("%q gave %q, which is read as %+v, %v", value, path, u, err)
		}
	})
}
