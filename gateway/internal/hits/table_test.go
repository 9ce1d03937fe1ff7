package hits

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// found is a finding of one rule at one target.
func found(rule int, target, client string) Finding {
	return Finding{
		Time: noon, Route: "notes", Profile: "api", Mode: "enforce", Verdict: pipeline.VerdictDenied, Client: client,
		Hits: []pipeline.Hit{{Rule: rule, Message: "SQL", At: []pipeline.HitAt{{Target: target, Shape: "9' aa 9=9--", Bytes: 11}}}},
	}
}

func table(t testing.TB, rows int) *Table {
	t.Helper()
	made, err := New(Config{Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestATableCountsByRuleRouteAndTarget(t *testing.T) {
	t.Parallel()
	tab := table(t, 10)
	for _, client := range []string{"a", "b", "a"} {
		tab.Add(found(942100, "ARGS:q", client))
	}
	passed := found(942100, "ARGS:note", "a")
	passed.Verdict, passed.Time = pipeline.VerdictPassed, noon.Add(time.Second)
	tab.Add(passed)
	rows, all := tab.Top(10)
	if len(rows) != 2 || all != 2 {
		t.Fatalf("%d of %d rows: %+v", len(rows), all, rows)
	}
	if r := rows[0]; r.Target != "ARGS:q" || r.Count != 3 || r.Denied != 3 || r.Clients != 2 || r.Value != "9' aa 9=9--" || r.Bytes != 11 {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Target != "ARGS:note" || r.Count != 1 || r.Denied != 0 || r.Verdict != "passed" || !r.Last.Equal(noon.Add(time.Second)) {
		t.Errorf("%+v", r)
	}
	if rows, all := tab.Top(1); len(rows) != 1 || all != 2 {
		t.Errorf("the top one of two is %d of %d", len(rows), all)
	}
}

func TestARequestCountsOnceForEachTarget(t *testing.T) {
	t.Parallel()
	tab := table(t, 10)
	f := found(942100, "ARGS:q", "a")
	f.Hits[0].At = append(f.Hits[0].At, pipeline.HitAt{Target: "ARGS:q", Shape: "9'", Bytes: 2}, pipeline.HitAt{Target: "ARGS:r"})
	tab.Add(f)
	if rows, _ := tab.Top(10); len(rows) != 2 || rows[0].Count != 1 || rows[1].Count != 1 {
		t.Errorf("%+v", rows)
	}
}

// An attacker makes up a name for each request.
func TestNamesThatClientsMakeUpPushOutNothingThatIsSeenOften(t *testing.T) {
	t.Parallel()
	const rows = 50
	tab := table(t, rows)
	for i := range 3 * rows { // and each of the first a few times
		tab.Add(found(941100, fmt.Sprint("ARGS:first-", i%rows), "attacker"))
	}
	for i := range 100 * rows {
		if i%40 == 0 {
			tab.Add(found(942100, "ARGS:json.note", fmt.Sprint(i)))
		}
		tab.Add(found(941100, fmt.Sprint("ARGS:made-up-", i), "attacker"))
	}
	top, all := tab.Top(1000)
	if len(top) != rows || len(tab.rank) != rows || all < 90*rows {
		t.Fatalf("%d rows of %d", len(top), all)
	}
	if top[0].Target != "ARGS:json.note" || top[0].Count < 100 {
		t.Errorf("what was seen 125 times is not on top: %+v", top[0])
	}
	for i, e := range tab.rank {
		if e.at != i {
			t.Fatalf("row %d thinks that it is %d", i, e.at)
		}
	}
}

func TestClientsAreCountedInBoundedMemory(t *testing.T) {
	t.Parallel()
	tab := table(t, 1)
	for i := range 20_000 {
		tab.Add(found(942100, "ARGS:q", fmt.Sprint(i%10_000)))
		if rows, _ := tab.Top(1); i == 59 && rows[0].Clients != 60 {
			t.Errorf("60 clients are %d", rows[0].Clients)
		}
	}
	rows, _ := tab.Top(1)
	if n := rows[0].Clients; n < 5_000 || n > 20_000 {
		t.Errorf("10,000 clients are taken for %d", n)
	}
	for _, e := range tab.rows {
		if len(e.clients.least) > kept || cap(e.clients.least) > 2*kept {
			t.Errorf("%d hashes are kept, with room for %d", len(e.clients.least), cap(e.clients.least))
		}
	}
}

func TestWhoIsOneClient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		subject, source, want string
	}{
		"a subject, wherever it comes from":      {"g-7", "192.0.2.1", "https://issuer g-7"},
		"an address of IPv4":                     {"", "192.0.2.1", "192.0.2.1"},
		"a network of IPv6, which one host owns": {"", "2001:db8::7", "2001:db8::/64"},
	} {
		tx := &pipeline.Transaction{Request: httptest.NewRequest("GET", "/", nil), Source: netip.MustParseAddr(c.source), Route: &pipeline.Route{Name: "notes"}}
		if c.subject != "" {
			tx.Principal = &token.Principal{Issuer: "https://issuer", Subject: c.subject}
		}
		if got := Of(tx, &pipeline.Inspection{}, false).Client; got != c.want {
			t.Errorf("%s is %q, want %q", name, got, c.want)
		}
	}
}

func TestARequestWithoutHitsAllocatesNothing(t *testing.T) {
	tab := table(t, 1)
	tx := &pipeline.Transaction{WAF: pipeline.Inspection{Ran: true}, ShadowWAF: []pipeline.Inspection{{Ran: true}}}
	if n := testing.AllocsPerRun(100, func() { tab.Observe(tx) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	tx.ShadowWAF[0].Hits = found(942100, "ARGS:q", "").Hits
	tab.Observe(tx)
	if rows, _ := tab.Top(1); len(rows) != 1 || rows[0].Mode != "shadow" {
		t.Errorf("what a profile in shadow found is not counted: %+v", rows)
	}
}
