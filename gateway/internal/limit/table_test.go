package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

func address(i int) Caller {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return Caller{Source: netip.AddrFrom4(b)}
}

// bytes is what a table's entries take.
func (t *table) bytes() (n int) {
	for i := range t.shards {
		n += len(t.shards[i].sets) * int(unsafe.Sizeof(set{}))
	}
	return n
}

func TestAMillionKeysNeitherGrowATableNorFreeAnOffender(t *testing.T) {
	const keys, flood = 1 << 16, 1_000_000
	e, err := NewEngine(Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	// All debts outlast the flood, so that no entry is free to be reused.
	set := e.Bind([]Limit{{Name: "per-source", Count: 20, Per: time.Hour}})
	now, offender := time.Now(), address(1)
	for range 21 {
		set.Decide(now, offender, nil)
	}
	for i := range flood {
		set.Decide(now, address(1000+i), nil)
		if i%10_000 == 0 {
			if _, denied := set.Decide(now, offender, nil); denied == nil {
				t.Fatalf("after %d new keys the offender was admitted", i)
			}
		}
	}
	if got, most := set.limits[0].table.bytes(), keys*24; got > most {
		t.Errorf("%d keys take %d bytes, want at most %d", flood, got, most)
	}
}

func TestATableThatGrowsForgetsNoDebt(t *testing.T) {
	e, err := NewEngine(Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, now := e.Bind([]Limit{{Name: "per-source", Count: 1, Per: time.Hour}}), time.Now()
	before := set.limits[0].table.bytes()
	for i := range 20_000 {
		set.Decide(now, address(i), nil)
	}
	if set.limits[0].table.bytes() == before {
		t.Fatal("the table did not grow")
	}
	for i := range 20_000 {
		if _, denied := set.Decide(now, address(i), nil); denied == nil {
			t.Fatalf("caller %d was admitted twice", i)
		}
	}
}

func TestAFloodOfShortDebtsTurnsNobodyAway(t *testing.T) {
	e, err := NewEngine(Config{Keys: 1 << 14})
	if err != nil {
		t.Fatal(err)
	}
	set := e.Bind([]Limit{{Name: "per-source", Count: 600, Per: time.Minute, Burst: 60}})
	now := time.Now()
	for i := range 200_000 { // 100,000 new callers a second, each in debt for 0.1 s
		now = now.Add(10 * time.Microsecond)
		if _, denied := set.Decide(now, address(i), nil); denied != nil {
			t.Fatalf("caller %d was refused his first request: %+v", i, *denied)
		}
	}
}

// The smallest table and far more keys than it holds: still no key gets more
// than its limit, over any stretch of time.
func TestAnOverflowingTableNeverAdmitsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := NewEngine(Config{Keys: fewestKeys})
		if err != nil {
			t.Fatal(err)
		}
		l := Limit{Name: "l", Count: 1, Per: 10 * time.Millisecond, Burst: rapid.IntRange(1, 4).Draw(t, "burst")}
		set, now := e.Bind([]Limit{l}), time.Now()
		callers := rapid.IntRange(1, 20*fewestKeys).Draw(t, "callers")
		stride := rapid.IntRange(1, 97).Draw(t, "stride")
		past := map[int][]time.Time{}
		for i := range 4000 {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "gap")) * time.Microsecond)
			caller := i * i * stride % callers
			if _, denied := set.Decide(now, address(caller), nil); denied != nil {
				continue
			}
			past[caller] = append(past[caller], now)
			for j, from := range past[caller] {
				if n := len(past[caller]) - j; n > l.Burst+int(now.Sub(from)/l.Per) {
					t.Fatalf("caller %d got %d in %s", caller, n, now.Sub(from))
				}
			}
		}
	})
}

func TestAnEngineForgetsLimitsThatNoSetNamesAnyMore(t *testing.T) {
	e, err := NewEngine(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		e.Bind([]Limit{{Name: fmt.Sprint("renamed-", i), Count: 1, Per: time.Hour}})
	}
	runtime.GC()
	last := e.Bind([]Limit{{Name: "last", Count: 1, Per: time.Hour}})
	if n := len(e.tables); n != 1 {
		t.Errorf("%d tables are kept, want 1", n)
	}
	runtime.KeepAlive(last)
}
