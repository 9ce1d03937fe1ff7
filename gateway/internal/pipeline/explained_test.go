package pipeline_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// says is a stage that explains itself.
type says struct {
	name string
	err  error
}

func (s says) Name() string                       { return s.name }
func (s says) Decide(*pipeline.Transaction) error { return s.err }
func (s says) Explain(*pipeline.Transaction, pipeline.Decision) []pipeline.Reason {
	return []pipeline.Reason{{Text: "as " + s.name + " says"}}
}

// asked is GET path at api.hotel.test under a snapshot of three routes.
func asked(path string, stages ...pipeline.Stage) *pipeline.Transaction {
	s := snapshot([2]string{"GET", "/v1/hotels"}, [2]string{"GET", "/v1/hotels/{hotel}"}, [2]string{"POST", "/v1/reservations"})
	s.Version, s.Unrouted = "v1", []pipeline.Stage{says{name: "source-limit"}}
	for _, r := range s.Routes {
		r.Stages, r.Upstream, r.Place = stages, "hotels", "routes.yaml:3"
	}
	tx := &pipeline.Transaction{
		Request: httptest.NewRequest("GET", path, nil), ID: "id", Start: time.Date(2027, 1, 13, 12, 0, 0, 0, time.UTC),
		Snapshot: s, Host: "api.hotel.test", Path: path, Source: netip.MustParseAddr("192.0.2.1"),
		Principal: &token.Principal{Subject: "g-7", Client: "web"}, Bearer: "secret",
	}
	tx.Route, tx.Params = s.Match("api.hotel.test", "GET", path, nil)
	return tx
}

// outline is the tree's texts and states.
func outline(reasons []pipeline.Reason) (lines []string) {
	for _, r := range reasons {
		lines = append(lines, r.Text+" "+r.State.String())
		for _, under := range outline(r.Under) {
			lines = append(lines, "  "+under)
		}
	}
	return lines
}

func TestTheTreeBeginsAtTheEdgeAndEndsAtTheUpstream(t *testing.T) {
	t.Parallel()
	tx := asked("/v1/hotels", says{name: "authenticate"}, says{name: "authorize"})
	e := pipeline.NewExplained(tx, pipeline.Decide(tx), 200)
	want := []string{
		"edge holds", "  route GET /v1/hotels takes GET /v1/hotels holds",
		"authenticate holds", "  as authenticate says neutral", "authorize holds", "  as authorize says neutral", "forward holds",
	}
	if diff := cmp.Diff(want, outline(e.Tree)); diff != "" {
		t.Error(diff)
	}
}

// Of a request that is remembered, the answer's fields are not.
func TestAMethodThatNoRouteTakesIsToldWithThoseThatOneDoes(t *testing.T) {
	t.Parallel()
	tx := asked("/v1/reservations")
	e := pipeline.NewExplained(tx, pipeline.Decision{Kind: pipeline.Deny, Problem: problem.New(problem.MethodNotAllowed, "")}, 405)
	if want := "no route takes GET /v1/reservations; there is one for POST"; e.Cause != want {
		t.Errorf("it is %q, want %q", e.Cause, want)
	}
}

func TestWhatWasNotAskedIsNotExplained(t *testing.T) {
	t.Parallel()
	no := problem.New(problem.Forbidden, "").Because(errors.New("no rule allows it"))
	tx := asked("/v1/hotels", says{name: "authenticate"}, says{"authorize", no}, says{name: "inspect"})
	e := pipeline.NewExplained(tx, pipeline.Decide(tx), 403)
	want := []string{
		"edge holds", "  route GET /v1/hotels takes GET /v1/hotels holds", "authenticate holds", "  as authenticate says neutral",
		"authorize fails", "  as authorize says neutral", "inspect unasked", "forward unasked",
	}
	if diff := cmp.Diff(want, outline(e.Tree)); diff != "" {
		t.Error(diff)
	}
	if e.Decision != "deny" || e.Stage != "authorize" || e.Code != "forbidden" || e.Cause != "no rule allows it" || e.Subject != "g-7" || e.Policy != "v1" {
		t.Errorf("%+v", e)
	}
}

func TestARefusalBeforeTheStagesIsTheEdges(t *testing.T) {
	t.Parallel()
	tx := asked("/v1/hotels", says{name: "authenticate"})
	d := pipeline.Decision{Kind: pipeline.Deny, Problem: problem.New(problem.BodyTooLarge, "")}
	e := pipeline.NewExplained(tx, d, 413)
	want := []string{"edge fails", "source-limit holds", "  as source-limit says neutral", "authenticate unasked", "forward unasked"}
	if diff := cmp.Diff(want, outline(e.Tree)); diff != "" {
		t.Error(diff)
	}
	if e.Tree[0].Value != "the body is longer than the 0 bytes that route GET /v1/hotels takes" {
		t.Errorf("the edge says %q", e.Tree[0].Value)
	}
}

func TestWhoMeetsNoRouteIsToldTheNearest(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"/v1/hotel":           {"route GET /v1/hotels takes GET /v1/hotels fails", "  path is /v1/hotels fails"},
		"/v1/hotels/h-1/room": {"route GET /v1/hotels/{hotel} takes GET /v1/hotels/{hotel} fails", "  path is /v1/hotels/{hotel} fails"},
		"/v1/reservations":    {"route POST /v1/reservations takes POST /v1/reservations fails", "  method is POST fails"},
		"/nowhere":            {"route GET /v1/hotels takes GET /v1/hotels fails", "  path is /v1/hotels fails"},
	} {
		tx := asked(path)
		d := pipeline.Decision{Kind: pipeline.Deny, Problem: problem.New(problem.NotFound, "")}
		got := outline(pipeline.NewExplained(tx, d, 404).Tree[0].Under)
		if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestWhatFailedWhileForwardingIsTold(t *testing.T) {
	t.Parallel()
	tx := asked("/v1/hotels", says{name: "authenticate"})
	d := pipeline.Decision{Kind: pipeline.Allow, Stage: pipeline.StageForward, Problem: problem.New(problem.BadGateway, "").Because(errors.New("refused"))}
	tree := pipeline.NewExplained(tx, d, 502).Tree
	if last := tree[len(tree)-1]; last.State != pipeline.Broken || last.Value != "refused" {
		t.Errorf("%+v", last)
	}
}

func TestAnExplanationSurvivesJSON(t *testing.T) {
	t.Parallel()
	tx := asked("/v1/hotels", says{name: "authenticate"}, says{"authorize", problem.New(problem.Forbidden, "")})
	tx.Shadows = []pipeline.Shadow{{Stage: "authorize", Rule: "kiosk", Place: "routes.yaml:5", Would: pipeline.Deny}}
	e := pipeline.NewExplained(tx, pipeline.Decide(tx), 403)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back pipeline.Explained
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, back, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`{"tree":[{"text":"x","state":"maybe"}]}`), &back); err == nil {
		t.Error("an unknown state was taken")
	}
}
