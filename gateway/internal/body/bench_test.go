package body

import (
	"strconv"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// BenchmarkValidate is the cost of the stage: an ordinary body, and what fills
// the bounds.
func BenchmarkValidate(b *testing.B) {
	s := schema(b, note)
	lists := schema(b, `{"items": {"type": "integer", "minimum": 0}, "uniqueItems": true}`)
	for name, c := range map[string]struct {
		schema *Schema
		body   string
	}{
		"booking":          {s, `{"hotel": "h-1", "guests": 2, "from": "2027-01-10", "note": "late arrival"}`},
		"64KiB of text":    {schema(b, `{"properties": {"note": {"maxLength": 100000}}}`), `{"note": "` + strings.Repeat("a quiet room ", 5000) + `"}`},
		"10,000 numbers":   {lists, "[1e300" + strings.Repeat(",1e300", maxValues-2) + "]"},
		"10,000 different": {lists, "[" + numbers(maxValues-1) + "]"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			stage := NewStage(Config{Schema: c.schema})
			for b.Loop() {
				tx := &pipeline.Transaction{Request: send("POST", "").Request, Body: []byte(c.body), Buffered: true}
				_ = stage.Decide(tx) // some do not fit
			}
		})
	}
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.Repeat("9", 1+i%50))
		b.WriteString("e" + strconv.Itoa(i%400))
	}
	return b.String()
}
