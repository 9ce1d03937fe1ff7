package waf

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
)

// idle waits until no clean verdict is left to be held against the engine.
func idle(t *testing.T, g *Gate) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); g.rechecking.Load() || len(g.rechecks) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("clean verdicts wait for ever")
		}
	}
}

func TestABrokenProofIsCaughtByARecheck(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(gullible))
	i.proving.every = 1
	m, log := watched(t, i)
	gate := NewGate(1)
	attack := func() *pipeline.Transaction {
		return request("POST", "/v1/reservations", jsonMedia, `{"note":"<script>alert('s3cr3t')</script>"}`)
	}
	tx := attack()
	gate.slots <- struct{}{} // until the request has gone its way
	if d := through(i, gate, tx); d.Kind != pipeline.Allow {
		t.Fatal("the sabotage does not work:", d.Problem)
	}
	// Whoever has the request by now may do with it what they like.
	copy(tx.Body, `{"note":"`+strings.Repeat("a", len(tx.Body)-len(`{"note":""}`))+`"}`)
	clear(tx.Request.Header)
	tx.Reset()
	through(i, gate, request("GET", "/", "", "")) // in the same memory
	gate.leave()
	idle(t, gate)
	if differences(m, i) != 1 || !strings.Contains(log.String(), "switched off for good") || strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("%d differences, logged %s", differences(m, i), log)
	}
	if d := through(i, gate, attack()); d.Kind != pipeline.Deny {
		t.Error("the next attack passes too")
	}
	if len(gate.slots) != 0 {
		t.Error("a turn at the gate is lost")
	}
}

func TestASoundProofIsHeldAgainstTheEngineInVain(t *testing.T) {
	sound := inspector(t)
	i := as(sound, ProofOn, sound.proving.prover)
	i.proving.every = 1
	m, _ := watched(t, i)
	gate := NewGate(0)
	for range 5 {
		through(i, gate, request("POST", "/v1/reservations", jsonMedia, `{"note":"late arrival"}`))
		idle(t, gate)
	}
	held := testutil.ToFloat64(m.rechecks.WithLabelValues("json-api", "held"))
	if held != 5 || differences(m, i) != 0 || i.proving.off.Load() {
		t.Errorf("%v held, %d differences", held, differences(m, i))
	}
}

// Whoever is waiting for an answer goes before.
func TestRechecksWaitForATurnThatNobodyWantsAndAreBounded(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(gullible))
	i.proving.every = 1
	m, _ := watched(t, i)
	count := func(result string) int {
		return int(testutil.ToFloat64(m.rechecks.WithLabelValues("json-api", result)))
	}
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(1)
		gate.slots <- struct{}{}
		for range recheckQueue + 5 {
			if d := through(i, gate, request("GET", "/v1/hotels", "", "")); d.Kind != pipeline.Allow {
				t.Fatal(d.Problem)
			}
			synctest.Wait()
		}
		if count("dropped") != 4 || count("held") != 0 { // one is out of the queue, waiting
			t.Errorf("%d dropped, %d held", count("dropped"), count("held"))
		}
		time.Sleep(recheckTries * recheckPause * (recheckQueue + 2))
		if count("dropped") != recheckQueue+5 || gate.rechecking.Load() {
			t.Errorf("%d dropped; the gate was never free", count("dropped"))
		}
		gate.leave()
		through(i, gate, request("GET", "/v1/hotels", "", ""))
		synctest.Wait()
		if count("held") != 1 || gate.rechecking.Load() || len(gate.slots) != 0 {
			t.Errorf("%d held", count("held"))
		}
	})
}

func TestOneOfAThousandIsRechecked(t *testing.T) {
	if every := inspector(t).proving.every; every != recheckEvery || recheckEvery != 1000 {
		t.Errorf("one of %d", every)
	}
}
