package waf

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/services/problem"
)

func TestTheThirdOfTwoWaitsASecondAndIsToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(2)
		for range 2 {
			if err := gate.enter(request("GET", "/", "", "")); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		err := gate.enter(request("GET", "/", "", ""))
		p, ok := errors.AsType[*problem.Problem](err)
		if !ok || p.Code != problem.Overloaded || p.Status() != 503 || p.Header.Get("Retry-After") != "1" {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestWhoeverWaitsGetsTheTurnThatIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(1)
		if err := gate.enter(request("GET", "/", "", "")); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(300*time.Millisecond, gate.leave)
		began := time.Now()
		if err := gate.enter(request("GET", "/", "", "")); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != 300*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
		if gate.waiting.Load() != 0 {
			t.Errorf("%d wait, none does", gate.waiting.Load())
		}
	})
}

func TestAClientThatLeavesStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(1)
		if err := gate.enter(request("GET", "/", "", "")); err != nil {
			t.Fatal(err)
		}
		tx := request("GET", "/", "", "")
		ctx, cancel := context.WithCancel(t.Context())
		tx.Request = tx.Request.WithContext(ctx)
		time.AfterFunc(100*time.Millisecond, cancel)
		p, ok := errors.AsType[*problem.Problem](gate.enter(tx))
		if !ok || p.Code != problem.ClientClosed {
			t.Errorf("got %v", p)
		}
		if !errors.Is(tx.ClientErr(), context.Canceled) {
			t.Errorf("the failure is not the client's: %v", tx.ClientErr())
		}
	})
}

func TestTooManyWaitersAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(1)
		if err := gate.enter(request("GET", "/", "", "")); err != nil {
			t.Fatal(err)
		}
		for range waitersPerSlot {
			go func() { _ = gate.enter(request("GET", "/", "", "")) }()
		}
		synctest.Wait()
		began := time.Now()
		if p, ok := errors.AsType[*problem.Problem](gate.enter(request("GET", "/", "", ""))); !ok || p.Code != problem.Overloaded {
			t.Errorf("got %v", p)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		time.Sleep(2 * maxWait) // until the waiters have given up
	})
}

func TestAFreeGateCostsNoAllocation(t *testing.T) {
	gate, tx := NewGate(2), request("GET", "/", "", "")
	if n := testing.AllocsPerRun(100, func() {
		if gate.enter(tx) == nil {
			gate.leave()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
