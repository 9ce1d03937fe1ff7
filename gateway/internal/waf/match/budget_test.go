package match

import (
	"runtime"
	"testing"
	"time"
)

func TestAPartGivesBackWhatItTookOnceItIsGone(t *testing.T) {
	t.Parallel()
	whole := NewBudget(1000)
	part, other := whole.Part(), whole.Part()
	if !part.take(600) || other.take(500) || !other.take(400) {
		t.Error("parts do not share what there is")
	}
	if whole.Left() != 0 || part.Left() != 0 {
		t.Errorf("%d and %d are left", whole.Left(), part.Left())
	}
	runtime.KeepAlive(part)
	part = nil
	for deadline := time.Now().Add(30 * time.Second); whole.Left() != 600; runtime.Gosched() {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d are left", whole.Left())
		}
	}
	if other.take(700) || !other.take(600) {
		t.Error("what came back is not there, or more than that")
	}
	runtime.KeepAlive(other)
}
