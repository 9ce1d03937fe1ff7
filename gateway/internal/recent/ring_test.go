package recent_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/recent"
	"portcullis/services/problem"
)

// fixture is a ring under a policy of one route.
type fixture struct {
	*recent.Ring
	t       testing.TB
	current *pipeline.Current
	asked   int
}

func newFixture(t testing.TB, size int, reads pipeline.Reads) *fixture {
	t.Helper()
	f := &fixture{t: t, current: &pipeline.Current{}}
	f.reload("v1", reads)
	var err error
	if f.Ring, err = recent.New(recent.Config{Size: size, Current: f.current}); err != nil {
		t.Fatal(err)
	}
	return f
}

// reload brings a policy into force.
func (f *fixture) reload(version string, reads pipeline.Reads) {
	f.current.Store(&pipeline.Snapshot{Version: version, Routes: []*pipeline.Route{
		{Name: "hotel", Place: "routes/search.yaml:4", Reads: reads},
	}})
}

// ask is a request that went through every stage; change makes it another.
func (f *fixture) ask(target string, change func(*pipeline.Transaction)) *pipeline.Transaction {
	f.asked++
	s := f.current.Load()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(`{"note": "body-secret"}`))
	r.Header.Set("Authorization", "Bearer header-secret")
	r.Header.Set("Cookie", "sid=cookie-secret")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "other-header")
	tx := &pipeline.Transaction{
		Request: r, Start: time.Date(2027, 1, 13, 12, 0, 0, 0, time.UTC), ID: id(f.asked), Snapshot: s, Route: s.Routes[0],
		Host: "api.hotel.test", Path: r.URL.EscapedPath(), Params: pipeline.Params{{Name: "hotel", Value: "h-7"}}, Source: netip.MustParseAddr("192.0.2.7"),
		Principal: &token.Principal{Subject: "g-7"}, Bearer: "bearer-secret", Rule: "allow (routes/search.yaml:6)",
		WAF: pipeline.Inspection{Profile: "json-api", Ran: true, Score: 5, Rules: []int{942100, 949110}, Excluded: []int{2}, Matches: []pipeline.Match{
			{Rule: 942100, Target: "ARGS:json.note", Message: "SQL Injection", Denies: true}, {Rule: 920300, Message: "no Accept"},
		}},
		ShadowWAF:    []pipeline.Inspection{{Profile: "strict", Ran: true, Score: 8, Rules: []int{942100}}, {Profile: "odd"}},
		ShadowLimits: []pipeline.LimitState{{Name: "tight", Quota: 2, Window: time.Minute, Remaining: 1}},
		Validation:   pipeline.Validation{Ran: true, Wrong: "there is no body"},
		Limits:       []pipeline.LimitState{{Name: "per-source", Quota: 200, Window: time.Second, Remaining: -1, Reset: time.Second, RetryAfter: time.Millisecond}},
		Shadows:      []pipeline.Shadow{{Stage: "authorize", Rule: "kiosk", Place: "routes/search.yaml:9", Would: pipeline.Deny}},
	}
	if change != nil {
		change(tx)
	}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		panic(err) // every query here is our own
	}
	return tx
}

// id is the request id of number n; like real ones, they differ from the start.
func id(n int) string { return fmt.Sprintf("%016x%016x", uint64(n)*0x9e3779b97f4a7c15, n) }

// denied is the decision that the fixture's requests meet.
func denied() pipeline.Decision {
	p := problem.New(problem.WAFDenied, "It looks like an attack.").Because(errors.New("score 5"))
	return pipeline.Decision{Kind: pipeline.Deny, Stage: "inspect", Rule: "waf:json-api:942100", Problem: p}
}

func TestWhatIsRememberedIsWhatTheStagesSaw(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 4, pipeline.Reads{Headers: []string{"X-Kiosk"}, Query: []string{"city"}})
	tx := f.ask("/v1/caf%C3%A9/h-7?city=Turku&token=query-secret&c%69ty=Oulu&city", func(tx *pipeline.Transaction) {
		tx.Request.Header["X-Kiosk"] = []string{"7", "8"}
	})
	d := denied()
	f.Observe(tx, d, 403)
	rec, ok := f.Find(tx.ID)
	if !ok {
		t.Fatal("it is not remembered")
	}
	again, err := rec.Transaction()
	if err != nil {
		t.Fatal(err)
	}
	want := f.ask("/", nil)
	want.Request, want.ID, want.Path, want.Bearer, want.Principal, want.Rule = nil, tx.ID, "/v1/caf%C3%A9/h-7", "", tx.Principal, d.Rule
	request := again.Request
	again.Request = nil
	if again.Snapshot != tx.Snapshot || again.Route != tx.Route || again.Principal != tx.Principal || again.Source != tx.Source {
		t.Errorf("it is of another policy or another caller: %+v", again)
	}
	if diff := cmp.Diff(want, again, cmpopts.IgnoreUnexported(pipeline.Transaction{}), cmpopts.IgnoreFields(pipeline.Transaction{}, "Snapshot", "Route", "Principal", "Source", "Query")); diff != "" {
		t.Error(diff)
	}
	if request.Method != "POST" || request.URL.Path != "/v1/café/h-7" || request.URL.RawQuery != "city=Turku&c%69ty=Oulu&city" || request.ContentLength != 23 || request.Host != "api.hotel.test" {
		t.Errorf("the request is now %+v", request)
	}
	if value, times := again.Query.Get("city"); value != "Turku" || times != 3 {
		t.Errorf("city is now %q, %d times", value, times)
	}
	if diff := cmp.Diff(http.Header{"Content-Type": {"application/json"}, "X-Kiosk": {"7", "8"}}, request.Header); diff != "" {
		t.Error(diff)
	}
	got := rec.Decision
	if got.Kind != d.Kind || got.Stage != d.Stage || got.Rule != d.Rule || got.Problem.Error() != d.Problem.Error() || got.Problem.Detail != d.Problem.Detail || rec.Status != 403 ||
		rec.Route != "hotel" || rec.Place != "routes/search.yaml:4" || rec.Policy != "v1" {
		t.Errorf("the decision is now %+v", rec)
	}
}

func TestNoSecretIsRemembered(t *testing.T) {
	t.Parallel()
	// Not even where a condition asks for one.
	f := newFixture(t, 4, pipeline.Reads{Headers: []string{"Authorization", "Cookie", "Proxy-Authorization", "Content-Type"}, Query: []string{"access_token"}})
	tx := f.ask("/v1/hotels?access_token=query-secret&other=query-secret", func(tx *pipeline.Transaction) {
		tx.Request.Header.Set("Proxy-Authorization", "Basic header-secret")
	})
	f.Observe(tx, denied(), 403)
	rec, _ := f.Find(tx.ID)
	tx2, err := rec.Transaction()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %+v %+v", rec, *tx2.Request, *tx2.Request.URL); strings.Contains(text, "secret") || strings.Contains(text, "other=") || strings.Contains(text, "other-header") {
		t.Errorf("it holds %s", text)
	}
}

func TestAConditionThatReadsAnythingIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 4, pipeline.Reads{Any: true})
	tx := f.ask("/", nil)
	f.Observe(tx, denied(), 403)
	rec, _ := f.Find(tx.ID)
	if _, err := rec.Transaction(); !errors.Is(err, recent.ErrReads) {
		t.Errorf("got %v", err)
	}
	if e := rec.Explain(); e.Stage != "inspect" || e.Note == "" || e.Tree == nil || len(e.Shadows) != 1 {
		t.Errorf("the line is %+v", e)
	}
}

func TestARequestWithoutARouteOrAPolicyIsRememberedToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 4, pipeline.Reads{})
	for name, change := range map[string]func(*pipeline.Transaction){
		"no route":  func(tx *pipeline.Transaction) { tx.Route, tx.Params = nil, nil },
		"no policy": func(tx *pipeline.Transaction) { tx.Route, tx.Snapshot = nil, nil },
		"nothing": func(tx *pipeline.Transaction) {
			*tx = pipeline.Transaction{Request: tx.Request, Start: tx.Start, ID: tx.ID}
		},
	} {
		tx := f.ask("/nowhere", change)
		f.Observe(tx, pipeline.Decision{Kind: pipeline.Deny, Problem: problem.New(problem.NotFound, "")}, 404)
		rec, ok := f.Find(tx.ID)
		if !ok || rec.Path != "/nowhere" || rec.Status != 404 || rec.Source != tx.Source {
			t.Errorf("%s: %+v", name, rec)
		}
		if again, err := rec.Transaction(); err != nil || again.Route != nil || again.Snapshot != tx.Snapshot {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheOldestIsForgottenFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 3, pipeline.Reads{})
	var ids []string
	for range 5 {
		tx := f.ask("/", nil)
		f.Observe(tx, pipeline.Decision{Kind: pipeline.Allow}, 200)
		ids = append(ids, tx.ID)
	}
	for i, id := range ids {
		if _, ok := f.Find(id); ok != (i >= 2) {
			t.Errorf("request %d of 5 is remembered: %v", i+1, ok)
		}
	}
	var all []string
	for rec := range f.All() {
		all = append(all, rec.ID)
	}
	if want := []string{ids[4], ids[3], ids[2]}; !slices.Equal(all, want) {
		t.Errorf("all are %v, want %v", all, want)
	}
	if _, ok := f.Find(strings.Repeat("0", 32)); ok {
		t.Error("an id of nobody is found")
	}
}

func TestTwoPoliciesAreHeldAfterTheirTimeAndNoMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 100, pipeline.Reads{})
	var snapshots []weak.Pointer[pipeline.Snapshot]
	var ids []string
	for i := range 10 {
		f.reload(fmt.Sprint("v", i), pipeline.Reads{})
		tx := f.ask("/", nil)
		f.Observe(tx, denied(), 403)
		snapshots = append(snapshots, weak.Make(tx.Snapshot))
		ids = append(ids, tx.ID)
	}
	runtime.GC()
	for i, id := range ids {
		rec, ok := f.Find(id)
		if !ok || rec.Decision.Rule != "waf:json-api:942100" || rec.Policy != fmt.Sprint("v", i) {
			t.Fatalf("request %d is told as %+v", i, rec)
		}
		_, err := rec.Transaction()
		if held := i >= 7; held != (err == nil) || held != (snapshots[i].Value() != nil) {
			t.Errorf("policy %d: %v, alive %v", i, err, snapshots[i].Value() != nil)
		} else if !held && !errors.Is(err, recent.ErrReplaced) {
			t.Errorf("policy %d: %v", i, err)
		}
	}
	runtime.KeepAlive(f)
}

func TestASocketThatOutlivesItsPolicyPushesNoneOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 100, pipeline.Reads{})
	sockets := []*pipeline.Transaction{}
	for i := range 6 {
		f.reload(fmt.Sprint("v", i), pipeline.Reads{})
		sockets = append(sockets, f.ask("/", nil))
		f.Observe(f.ask("/", nil), pipeline.Decision{Kind: pipeline.Allow}, 200)
	}
	last := f.asked
	for _, tx := range sockets[:3] {
		f.Observe(tx, pipeline.Decision{Kind: pipeline.Allow}, 101)
	}
	for back, held := range []bool{true, true, true, false} {
		rec, ok := f.Find(id(last - 2*back))
		if _, err := rec.Transaction(); !ok || held != (err == nil) {
			t.Errorf("%d policies back: %v", back, err)
		}
	}
}

// A policy that is brought back is the same to the byte.
func TestAPolicyThatCameBackExplainsWhatItDecidedBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 100, pipeline.Reads{})
	tx := f.ask("/", nil)
	f.Observe(tx, denied(), 403)
	for i := range 5 {
		f.reload(fmt.Sprint("w", i), pipeline.Reads{})
		f.Observe(f.ask("/", nil), denied(), 403)
	}
	f.reload("v1", pipeline.Reads{})
	rec, _ := f.Find(tx.ID)
	if again, err := rec.Transaction(); err != nil || again.Route != f.current.Load().Routes[0] {
		t.Errorf("%v", err)
	}
}

func TestReadersAndWritersMayMeet(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 8, pipeline.Reads{Query: []string{"n"}})
	var txs [4]*pipeline.Transaction
	for i := range txs {
		txs[i] = f.ask(fmt.Sprintf("/%d?n=%d", i, i), nil)
	}
	var all sync.WaitGroup
	for i := range txs {
		all.Go(func() {
			for range 500 {
				f.Observe(txs[i], denied(), i)
			}
		})
		all.Go(func() {
			for range 200 {
				for rec := range f.All() {
					if n := fmt.Sprint(rec.Status); rec.Path != "/"+n || rec.Query != "n="+n || rec.ID != txs[rec.Status].ID {
						t.Errorf("two requests are mixed: %+v", rec)
						return
					}
				}
				if rec, ok := f.Find(txs[i].ID); ok && rec.Status != i {
					t.Errorf("asked for %d, got %d", i, rec.Status)
				}
			}
		})
	}
	all.Wait()
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []recent.Config{{}, {Size: 1}, {Current: &pipeline.Current{}}, {Size: -1, Current: &pipeline.Current{}}, {Size: 1 << 30, Current: &pipeline.Current{}}} {
		if _, err := recent.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
