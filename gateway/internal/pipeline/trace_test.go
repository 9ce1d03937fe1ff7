package pipeline_test

import (
	"net/http"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestTraceID(t *testing.T) {
	t.Parallel()
	const id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"a valid field names the trace":      {[]string{"00-" + id + "-" + parent + "-01"}, id},
		"no field names none":                {nil, ""},
		"two fields name none":               {[]string{"00-" + id + "-" + parent + "-01", "00-" + id + "-" + parent + "-01"}, ""},
		"a later version is not passed on":   {[]string{"01-" + id + "-" + parent + "-01"}, ""},
		"a longer field is not passed on":    {[]string{"00-" + id + "-" + parent + "-01-x"}, ""},
		"zeros are no trace":                 {[]string{"00-" + strings.Repeat("0", 32) + "-" + parent + "-01"}, ""},
		"zeros are no parent":                {[]string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, ""},
		"capitals are no hex here":           {[]string{"00-" + strings.ToUpper(id) + "-" + parent + "-01"}, ""},
		"flags that are no hex are no flags": {[]string{"00-" + id + "-" + parent + "-\"\""}, ""},
		"a field of the right length alone":  {[]string{strings.Repeat("-", 55)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := pipeline.TraceID(http.Header{"Traceparent": c.fields}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzTraceID(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("00-00000000000000000000000000000000-0000000000000000-00")
	f.Fuzz(func(t *testing.T, s string) {
		if id := pipeline.TraceID(http.Header{"Traceparent": {s}}); id != "" && !pipeline.IsID(id) {
			t.Errorf("%q has the trace %q", s, id)
		}
	})
}
