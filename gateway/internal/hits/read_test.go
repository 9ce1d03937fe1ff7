package hits

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

const line = `{"@timestamp":"2026-11-26T12:00:00.000000Z","event.kind":"alert","event.action":"waf","http.request.id":"aa","client.ip":"2001:db8::7",` +
	`"portcullis":{"profile":"api","mode":"enforce","verdict":"denied","score":5,"threshold":5,"route":"notes","hits":[{"id":942100,"message":"SQL",` +
	`"paranoia":1,"severity":"critical","place":"x.conf:1","counts":true,"at":[{"target":"ARGS:q","value":"9'","bytes":2},{"target":"REQUEST_COOKIES:s","value":"[redacted]"}],"more":3}]}}` + "\n"

func TestRecordedEventsAreReadBack(t *testing.T) {
	t.Parallel()
	log := `{"event.kind":"event","http.request.id":"aa"}` + "\n" + line +
		`{"event.kind":"alert","event.action":"other"}` + "\n" + `{"event.kind":7}` + "\n" +
		"no JSON\n" + strings.Repeat("x", lineMost+10) + "\n" + line + line[:50]
	var got []Finding
	lines, err := Read(strings.NewReader(log), func(f Finding) { got = append(got, f) })
	if err != nil || lines != (Lines{All: 8, Alerts: 2, Bad: 3, FirstBad: 5}) {
		t.Fatalf("%+v, %v", lines, err)
	}
	want := Finding{
		Time: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Request: "aa", Route: "notes", Profile: "api", Mode: "enforce", Verdict: "denied",
		Score: 5, Threshold: 5, Client: "2001:db8::/64",
		Hits: []pipeline.Hit{{
			Rule: 942100, Message: "SQL", Paranoia: 1, Severity: "critical", Place: "x.conf:1", Denies: true, More: 3,
			At: []pipeline.HitAt{{Target: "ARGS:q", Shape: "9'", Bytes: 2}, {Target: "REQUEST_COOKIES:s", Shape: "[redacted]", Bytes: -1}},
		}},
	}
	if diff := cmp.Diff([]Finding{want, want}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(line)
	f.Add(line[:100] + "\n" + line)
	f.Fuzz(func(t *testing.T, log string) {
		tab := table(t, 3)
		lines, err := Read(strings.NewReader(log), tab.Add)
		if err != nil || lines.Alerts+lines.Bad > lines.All {
			t.Fatalf("%+v, %v", lines, err)
		}
		rows, _ := tab.Top(10)
		for _, r := range rows {
			if len(r.Target) > textMost || len(r.Value) > textMost || len(r.Message) > textMost {
				t.Errorf("%+v", r)
			}
		}
	})
}
