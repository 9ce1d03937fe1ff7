package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/hits"
)

func TestFollowingPrintsWhatHasChanged(t *testing.T) {
	t.Parallel()
	row := func(rule, count int) hits.Row {
		return hits.Row{Rule: rule, Count: count, Route: "notes", Target: "ARGS:q", Profile: "api"}
	}
	for _, asJSON := range []bool{false, true} {
		h, seen := hitting{json: asJSON}, map[string]int{}
		for n, c := range []struct {
			rows  []hits.Row
			rules []string
		}{
			{[]hits.Row{row(942100, 1), row(941100, 1)}, []string{"942100", "941100"}},
			{[]hits.Row{row(942100, 1), row(941100, 1)}, nil},
			{[]hits.Row{row(942100, 2), row(941100, 1), row(930100, 1)}, []string{"942100", "930100"}},
		} {
			var out bytes.Buffer
			if err := h.changed(&out, control.Hits{Hits: c.rows}, seen); err != nil {
				t.Fatal(err)
			}
			for _, rule := range []string{"942100", "941100", "930100"} {
				if got, want := strings.Contains(out.String(), rule), strings.Contains(strings.Join(c.rules, " "), rule); got != want {
					t.Errorf("turn %d, rule %s is shown: %v, want %v: %s", n, rule, got, want, out.String())
				}
			}
			for line := range strings.Lines(out.String()) {
				if asJSON && !json.Valid([]byte(line)) {
					t.Errorf("%q is not an object a line", line)
				}
			}
		}
	}
}

func TestWhatARecordedEventSaysSteersNoTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := printRows(&out, []hits.Row{{Route: "a\x1b[2J", Target: "ARGS:\u009b31m", Value: "9' …", Profile: "b\nc", Mode: "shadow"}}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 2 || strings.ContainsAny(text, "\x1b\u009b") || !strings.Contains(text, "9' …") {
		t.Errorf("%q", text)
	}
}
