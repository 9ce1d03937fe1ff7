package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"portcullis/authserver/internal/audit"
)

// A line that is taken is one that we would have written, of printable ASCII;
// and whatever a stranger puts into a record, its line is taken.
func FuzzLine(f *testing.F) {
	f.Add(audit.Line(record("x")), "\x1b[2J", "a b")
	f.Add([]byte(`{"seq":1,"prev":"","time":"","action":"a","outcome":"b"}`), "é\xff\U0001f511", "")
	f.Add([]byte(`{"SEQ":1,"seq":2}`), strings.Repeat("\xff", 600), strings.Repeat("… ", 300))
	f.Fuzz(func(t *testing.T, text []byte, value, scopes string) {
		if again, err := audit.ParseLine(text); err == nil && !bytes.Equal(again, text) {
			t.Errorf("%q was taken and would be written %q", text, again)
		}
		r := audit.Record{Action: "a" + value, Outcome: "b", Subject: value, Detail: value + value, Scopes: strings.Split(scopes, " ")}
		ours := audit.Line(r)
		if _, err := audit.ParseLine(ours); err != nil {
			t.Errorf("%q: %v", ours, err)
		}
		for _, shown := range []string{string(ours), audit.Plain(ours), audit.Plain(text)} {
			if i := strings.IndexFunc(shown, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
				t.Errorf("%q has something at %d that is not printable ASCII", shown, i)
			}
		}
	})
}
