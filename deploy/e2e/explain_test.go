package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// remembered is how many requests the suite's gateways can explain: all that
// any test but the nightly ones sends.
const remembered = 16384

// control is the gateway's control socket.
func (s *system) control() string { return filepath.Join(s.dir, "gateway.sock") }

// operator is a client of the control socket.
func (s *system) operator() *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.control())
	}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// explained is what the gateway tells of a request by its id.
type explained struct {
	ID, Decision, Stage, Rule, Route, Place, Code, Policy, Note string
	Status                                                      int
	Tree                                                        []struct {
		Text, State string
		Shadow      bool
	}
}

func (s *system) explain(operator *http.Client, id string) (e explained, err error) {
	res, err := operator.Get("http://gateway/decisions/" + id)
	if err != nil {
		return e, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return e, err
	}
	if res.StatusCode != http.StatusOK {
		return e, fmt.Errorf("%d %s", res.StatusCode, text)
	}
	return e, json.Unmarshal(text, &e)
}

// explainsAll compares every event that a gateway has written since it started
// with what it explains by the id: that is true of each request of the suite. Of
// a flood, whose requests are alike, every so many are asked about. It is no use
// asking a gateway that a test has ended.
func (s *system) explainsAll(p *process, before int) {
	s.t.Helper()
	select {
	case <-p.done:
		return
	default:
	}
	events := s.decoded(s.eventLog()[before:])
	events = events[max(0, len(events)-remembered):]
	operator := s.operator()
	for i := 0; i < len(events); i += 1 + len(events)/explainedMost {
		event := events[i]
		id := str(event["http.request.id"])
		e, err := s.explain(operator, id)
		if err != nil {
			select {
			case <-p.done: // a test's last word may be a signal
			default:
				s.t.Errorf("request %s is not explained: %v", id, err)
			}
			return
		}
		if complaint := e.differs(event); complaint != "" {
			s.t.Errorf("request %s: %s\nthe event is %v\nthe explanation %+v", id, complaint, event, e)
			return
		}
	}
}

// differs says how an explanation contradicts the event, or itself.
func (e explained) differs(event map[string]any) string {
	p, ok := event["portcullis"].(map[string]any)
	if !ok {
		return "the event tells nothing of the decision"
	}
	for name, explained := range map[string]string{
		"decision": e.Decision, "stage": e.Stage, "rule": e.Rule, "route": e.Route, "place": e.Place, "code": e.Code, "policy": e.Policy,
	} {
		if str(p[name]) != explained {
			return fmt.Sprintf("the event's %s is %q, the explanation's %q", name, str(p[name]), explained)
		}
	}
	if status, ok := event["http.response.status_code"].(float64); !ok || int(status) != e.Status {
		return "the statuses differ"
	}
	if (len(e.Tree) == 0) != (e.Note != "") {
		return "the stages are told, or why they are not"
	}
	// Where it failed, if it did: a forward may fail that every stage has allowed.
	failed := cmp.Or(e.Stage, "edge")
	if e.Decision == "allow" && e.Stage == "" {
		failed = ""
	}
	for _, r := range e.Tree {
		if fails := r.State == "fails" || r.State == "broken"; !r.Shadow && fails != (r.Text == failed) {
			return fmt.Sprintf("the tree has %q as one that %s", r.Text, r.State)
		}
	}
	return ""
}

// TestAComplaintIsExplainedByItsRequestId: the id on the answer is all that a
// caller can give.
func TestAComplaintIsExplainedByItsRequestId(t *testing.T) {
	t.Parallel()
	s := edge(t)
	a := s.send("GET", "/e2e/echo", s.as("g-7", "other"), "")
	if a.status != 403 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e, err := s.explain(s.operator(), a.header.Get("X-Request-Id"))
	if err != nil || e.Decision != "deny" || e.Stage != "authorize" || e.Route != "e2e-get" || e.Status != 403 || e.Code != "insufficient_scope" || len(e.Tree) < 4 {
		t.Errorf("%+v, %v", e, err)
	}
	out, code := s.program("gateway", "decisions", "--control", s.control(), "--denied")
	if code != 0 || !strings.Contains(out, e.ID) || !strings.Contains(out, "e2e-get, authorize") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
