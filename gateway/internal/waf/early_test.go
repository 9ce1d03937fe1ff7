package waf

import (
	"io"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// sending is a body that does what a client does while it sends.
type sending struct {
	io.Reader
	first func()
}

func (s *sending) Read(p []byte) (int, error) {
	if s.first != nil {
		s.first()
		s.first = nil
	}
	return s.Reader.Read(p)
}

func (*sending) Close() error { return nil }

// slow is a request whose body does first before it comes.
func slow(tx *pipeline.Transaction, first func()) *pipeline.Transaction {
	tx.Request.Body = &sending{tx.Request.Body, first}
	return tx
}

func exporting(value, body string) *pipeline.Transaction {
	tx := request("POST", "/v1/exports", jsonMedia, body)
	tx.Request.Header["X-Export-Name"] = []string{value}
	return tx
}

// Who fills the connections of the gateway with bodies must at least be let in.
func TestWhatAPatchOfTheHeadStopsIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	for _, mode := range []Proof{ProofOn, ProofShadow, ProofOff} {
		i := as(exported(t), mode, exported(t).proving.prover)
		tx := slow(exporting("..", `{"a":1}`), func() { t.Error("the body is read") })
		d := through(i, NewGate(0), tx)
		if d.Kind != pipeline.Deny || tx.Rule != "waf:api:1000002" || d.Problem.Status() != 400 || len(tx.WAF.Hits) != 1 {
			t.Errorf("proof %s: %v by %q, %v, events %v", mode, d.Kind, tx.Rule, d.Problem, tx.WAF.Hits)
		}
		read := false
		tx = slow(request("POST", "/v1/exports?q=1%27%20OR%201=1--%20-", jsonMedia, `{"note":"<script>alert(1)</script>"}`), func() { read = true })
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny || !read || len(tx.WAF.Hits) < 2 {
			t.Errorf("proof %s: what the Core Rule Set decides: %v, body read %v, events %v", mode, d.Kind, read, tx.WAF.Hits)
		}
		tx = slow(request("POST", "/v1/exports?"+strings.Repeat("a&", 256), jsonMedia, `{"a":1}`), func() { t.Error("the body is read") })
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny {
			t.Errorf("proof %s: too many arguments in the query: %v", mode, d.Kind)
		}
	}
}

func TestAHeadThatMayPassSaysNothingOfItsBody(t *testing.T) {
	const attack = `{"note":"<script>alert(1)</script>"}`
	for name, tx := range map[string]*pipeline.Transaction{
		"a clean head": exporting("july", attack),
		"a head that a rule matches without effect":  exporting("july", attack),
		"a head that some rules have to be asked of": request("POST", "/v1/exports?template=draft-1", jsonMedia, attack),
	} {
		t.Run(name, func(t *testing.T) {
			again := copied(t, tx)
			d := through(exported(t), NewGate(0), tx)
			if d.Kind != pipeline.Deny || tx.Rule != "waf:api:949110" {
				t.Errorf("%v by %q", d.Kind, tx.Rule)
			}
			sameInEveryMode(t, exported(t), tx, again, d)
		})
	}
}

// Another request shows while the body is on its way that the proof is wrong: what
// it has said of the head must not keep rules from the body.
func TestAProofThatIsSwitchedOffWhileABodyComesSparesItNothing(t *testing.T) {
	i := as(exported(t), ProofOn, exported(t).proving.prover)
	tx := slow(request("POST", "/v1/exports?template=draft-1", jsonMedia, `{"note":"<script>alert(1)</script>"}`), func() { i.proving.off.Store(true) })
	if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny || tx.Rule != "waf:api:949110" || tx.WAF.Proof.Asked {
		t.Errorf("%v by %q, proof %+v", d.Kind, tx.Rule, tx.WAF.Proof)
	}
}

func TestAHeadThatIsTooDearIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	dear := func(first func()) *pipeline.Transaction {
		return slow(request("POST", "/v1/notes?q="+strings.Repeat("%3Cscript%3Ealert(1)%3C/script%3E", 100), jsonMedia, `{"a":1}`), first)
	}
	tx := dear(func() { t.Error("the body is read") })
	if d := through(costing(t, MinCost, OverReject), NewGate(0), tx); d.Kind != pipeline.Deny || d.Problem.Code != problem.HeadersTooLarge || !strings.HasSuffix(tx.Rule, ":cost") {
		t.Errorf("%v by %q: %v", d.Kind, tx.Rule, d.Problem)
	}
	read := false
	tx = dear(func() { read = true })
	if d := through(costing(t, MinCost, OverRecord), NewGate(0), tx); d.Kind != pipeline.Allow || !read || len(tx.Shadows) != 1 {
		t.Errorf("%v, read %v, recorded %v", d.Kind, read, tx.Shadows)
	}
}

// Ten thousand bodies that never come must not hold ten thousand proofs.
func TestOnlySoManyProofsWaitForBodies(t *testing.T) {
	i, g := exported(t), NewGate(0)
	for _, waiting := range []int64{0, maxBegun - 1, maxBegun} {
		g.begun.Store(waiting)
		s := &stage{gate: g, enforced: &Use{Inspector: i}}
		tx := exporting("july", `{"a":1}`)
		r := i.subject(tx, nil, formatNone)
		if err := s.body(slow(tx, func() {
			if held := r.check != nil; held != (waiting < maxBegun) {
				t.Errorf("%d wait, and a proof is held: %v", waiting, held)
			}
		}), r); err != nil {
			t.Fatal(err)
		}
		if v := i.said(t.Context(), r); !v.Clean || r.check != nil {
			t.Errorf("%d wait: %+v", waiting, v)
		}
		i.release(r)
		if g.begun.Load() != waiting {
			t.Errorf("%d wait, %d are counted", waiting, g.begun.Load())
		}
	}
}

// A body that is announced and has nothing in it leaves a head that was proved
// with no body behind it.
func TestABodyThatIsAnnouncedAndEmptyHidesNothing(t *testing.T) {
	for query, denied := range map[string]bool{"q=sea": false, "q=1%27%20OR%201=1--%20-": true, "template=draft-1": false} {
		tx := request("POST", "/v1/exports?"+query, jsonMedia, "x")
		tx.Request.Body, tx.Request.ContentLength, tx.Request.TransferEncoding = io.NopCloser(strings.NewReader("")), -1, []string{"chunked"}
		again := copied(t, tx)
		d := through(exported(t), NewGate(0), tx)
		if (d.Kind == pipeline.Deny) != denied || !tx.Buffered || len(tx.Body) != 0 {
			t.Errorf("%s: %v by %q, %v", query, d.Kind, tx.Rule, d.Problem)
		}
		sameInEveryMode(t, exported(t), tx, again, d)
	}
}
