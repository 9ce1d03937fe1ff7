package limit_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
)

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
}

func newEngine(t tester, keys int) *limit.Engine {
	t.Helper()
	e, err := limit.NewEngine(limit.Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func from(address string) limit.Caller {
	return limit.Caller{Source: netip.MustParseAddr(address), Route: "list-hotels"}
}

func as(issuer, subject, client string) limit.Caller {
	c := from("192.0.2.1")
	c.Principal = &token.Principal{Issuer: issuer, Subject: subject, Client: client}
	return c
}

// admitted asks n times at once and counts the yeses.
func admitted(s *limit.Set, at time.Time, c limit.Caller, n int) (yes int) {
	for range n {
		if _, denied := s.Decide(at, c, nil); denied == nil {
			yes++
		}
	}
	return yes
}

// history is the definition of a limit, written down without cleverness: a
// request is admitted when every stretch of time that ends with it holds no more
// than burst plus what the rate grants in that time.
type history map[string][]time.Time

func (h history) room(l limit.Limit, key string, now time.Time) bool {
	interval := (l.Per + time.Duration(l.Count) - 1) / time.Duration(l.Count)
	times := h[l.Name+" "+key]
	for i, from := range times {
		if len(times)-i+1 > l.Burst+int(now.Sub(from)/interval) {
			return false
		}
	}
	return true
}

func (h history) admit(l limit.Limit, key string, now time.Time) {
	h[l.Name+" "+key] = append(h[l.Name+" "+key], now)
}

func anyLimit(name string) *rapid.Generator[limit.Limit] {
	return rapid.Custom(func(t *rapid.T) limit.Limit {
		return limit.Limit{
			Name:  name,
			By:    rapid.SampledFrom([]limit.Key{limit.Source, limit.Principal, limit.Client, limit.RouteKey}).Draw(t, "by"),
			Count: rapid.IntRange(1, 20).Draw(t, "count"),
			Per:   time.Duration(rapid.Int64Range(1, int64(5*time.Second)).Draw(t, "per")) + 20,
			Burst: rapid.IntRange(1, 8).Draw(t, "burst"),
		}
	})
}

func anyLimits(t *rapid.T) (limits []limit.Limit) {
	for i := range rapid.IntRange(1, 4).Draw(t, "limits") {
		limits = append(limits, anyLimit(fmt.Sprint("limit-", i)).Draw(t, "limit"))
	}
	return limits
}

type caller struct {
	limit.Caller
	key map[limit.Key]string
}

func someCallers() (callers []caller) {
	for i := range 4 {
		source, subject, client := fmt.Sprintf("192.0.2.%d", i/2), fmt.Sprint("guest-", i%3), fmt.Sprint("app-", i%2)
		c := as("hotel", subject, client)
		c.Source = netip.MustParseAddr(source)
		callers = append(callers, caller{c, map[limit.Key]string{
			limit.Source: source, limit.Principal: subject, limit.Client: client, limit.RouteKey: "list-hotels",
		}})
	}
	return callers
}

func TestRequestsAreAdmittedExactlyAsTheDefinitionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits, callers := anyLimits(t), someCallers()
		set := newEngine(t, 0).Bind(limits)
		past, now := history{}, time.Now()
		for range rapid.IntRange(1, 120).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "gap") >> rapid.IntRange(0, 30).Draw(t, "shift")))
			c := rapid.SampledFrom(callers).Draw(t, "caller")

			want := !slices.ContainsFunc(limits, func(l limit.Limit) bool { return !past.room(l, c.key[l.By], now) })
			states, denied := set.Decide(now, c.Caller, nil)
			if (denied == nil) != want {
				t.Fatalf("admitted is %v, the definition says %v; limits %+v", denied == nil, want, states)
			}
			if want {
				for _, l := range limits {
					past.admit(l, c.key[l.By], now)
				}
			}
		}
	})
}

func TestRemainingIsWhatIsAdmittedRightNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, c := anyLimit("only").Draw(t, "limit"), someCallers()[0]
		set := newEngine(t, 0).Bind([]limit.Limit{l})
		now := time.Now()
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(l.Per)).Draw(t, "gap")))
			states, _ := set.Decide(now, c.Caller, nil)
			promised := states[0].Remaining
			if got := admitted(set, now, c.Caller, promised+3); got != promised {
				t.Fatalf("%d were said to remain, %d were admitted", promised, got)
			}
		}
	})
}

func TestWaitingRetryAfterIsEnoughAndNothingLessIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits, c := anyLimits(t), someCallers()[0]
		set := newEngine(t, 0).Bind(limits)
		now := time.Now()
		for range rapid.IntRange(1, 10).Draw(t, "rounds") {
			denied := exhaust(set, now, c.Caller)
			if _, early := set.Decide(now.Add(denied.RetryAfter-1), c.Caller, nil); early == nil {
				t.Fatalf("%+v: admitted a nanosecond before", *denied)
			}
			now = now.Add(denied.RetryAfter)
			if _, late := set.Decide(now, c.Caller, nil); late != nil {
				t.Fatalf("%+v: still denied after waiting: %+v", *denied, *late)
			}
		}
	})
}

func exhaust(s *limit.Set, at time.Time, c limit.Caller) *pipeline.LimitState {
	for {
		if _, denied := s.Decide(at, c, nil); denied != nil {
			return denied
		}
	}
}

func TestAfterResetTheWholeBurstIsThereAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, c := anyLimit("only").Draw(t, "limit"), someCallers()[0]
		set := newEngine(t, 0).Bind([]limit.Limit{l})
		now := time.Now()
		denied := exhaust(set, now, c.Caller)
		if got := admitted(set, now.Add(denied.Reset), c.Caller, l.Burst+1); got != l.Burst {
			t.Fatalf("%d of %d were admitted after %s", got, l.Burst, denied.Reset)
		}
	})
}

func TestARequestThatOneLimitRefusesIsChargedToNone(t *testing.T) {
	e := newEngine(t, 0)
	wide := limit.Limit{Name: "wide", By: limit.RouteKey, Count: 100, Per: time.Hour}
	narrow := limit.Limit{Name: "narrow", By: limit.Source, Count: 2, Per: time.Hour}
	both, now := e.Bind([]limit.Limit{wide, narrow}), time.Now()

	if got := admitted(both, now, from("192.0.2.1"), 50); got != 2 {
		t.Fatalf("admitted %d, want 2", got)
	}
	if got := admitted(e.Bind([]limit.Limit{wide}), now, from("192.0.2.1"), 200); got != 98 {
		t.Errorf("the wide limit had %d left, want 98: refused requests were charged to it", got)
	}
	runtime.KeepAlive(both) // a limit that no live set names is forgotten
}

func TestTheLimitThatMakesItWaitLongestSpeaks(t *testing.T) {
	set := newEngine(t, 0).Bind([]limit.Limit{
		{Name: "second", Count: 1, Per: time.Second},
		{Name: "hour", Count: 1, Per: time.Hour},
		{Name: "minute", Count: 1, Per: time.Minute},
	})
	denied := exhaust(set, time.Now(), from("192.0.2.1"))
	if denied.Name != "hour" || denied.RetryAfter != time.Hour {
		t.Errorf("%s says wait %s; want hour and 1h", denied.Name, denied.RetryAfter)
	}
}

func TestWhoIsCountedTogether(t *testing.T) {
	tests := []struct {
		name     string
		by       limit.Key
		a, b     limit.Caller
		together bool
	}{
		{"the same address", limit.Source, from("192.0.2.1"), from("192.0.2.1"), true},
		{"two IPv4 addresses are apart", limit.Source, from("192.0.2.1"), from("192.0.2.2"), false},
		{"an IPv4 address written as IPv6 is the same", limit.Source, from("192.0.2.1"), from("::ffff:192.0.2.1"), true},
		{"IPv4 addresses written as IPv6 do not share a /64", limit.Source, from("::ffff:192.0.2.1"), from("::ffff:192.0.2.2"), false},
		{"one IPv6 /64", limit.Source, from("2001:db8::1"), from("2001:db8::ffff:0:0:2"), true},
		{"two IPv6 /64s are apart", limit.Source, from("2001:db8::1"), from("2001:db8:0:1::1"), false},
		{"a zone is not another address", limit.Source, from("fe80::1%eth0"), from("fe80::1%eth1"), true},
		{"one subject with two clients", limit.Principal, as("hotel", "g-7", "app"), as("hotel", "g-7", "web"), true},
		{"the same subject of two issuers is apart", limit.Principal, as("hotel", "g-7", "app"), as("partner", "g-7", "app"), false},
		{"no way of writing issuer and subject makes two the same", limit.Principal, as("hotel", "g-7", ""), as("hotelg", "-7", ""), false},
		{"one client for two subjects", limit.Client, as("hotel", "g-7", "app"), as("hotel", "g-9", "app"), true},
		{"the same client of two issuers is apart", limit.Client, as("hotel", "g-7", "app"), as("partner", "g-7", "app"), false},
		{"everyone on a route", limit.RouteKey, from("192.0.2.1"), as("hotel", "g-7", "app"), true},
		{"without a principal, the source instead", limit.Principal, from("192.0.2.1"), from("192.0.2.1"), true},
		{"without a principal, sources are apart", limit.Client, from("192.0.2.1"), from("192.0.2.2"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set, now := newEngine(t, 0).Bind([]limit.Limit{{Name: "one", By: test.by, Count: 1, Per: time.Hour}}), time.Now()
			if admitted(set, now, test.a, 1) != 1 {
				t.Fatal("the first request was refused")
			}
			if together := admitted(set, now, test.b, 1) == 0; together != test.together {
				t.Errorf("counted together is %v, want %v", together, test.together)
			}
		})
	}
}

func TestALimitForSomeClientsLeavesOthersAlone(t *testing.T) {
	set, now := newEngine(t, 0).Bind([]limit.Limit{{Name: "demo", By: limit.Client, Count: 1, Per: time.Hour, Clients: []string{"demo"}}}), time.Now()
	if got := admitted(set, now, as("hotel", "g-7", "demo"), 5); got != 1 {
		t.Errorf("the named client was admitted %d times, want 1", got)
	}
	for name, other := range map[string]limit.Caller{"another client": as("hotel", "g-7", "web"), "no principal": from("192.0.2.1")} {
		states, _ := set.Decide(now, other, nil)
		if got := admitted(set, now, other, 5); got != 5 || len(states) != 0 {
			t.Errorf("%s was admitted %d of 5 times, shown %v", name, got, states)
		}
	}
}

func TestALimitThatMakesNoSenseAdmitsNothing(t *testing.T) {
	for _, l := range []limit.Limit{{}, {Count: 1}, {Per: time.Second}, {Count: -1, Per: time.Second}, {Count: 1, Per: -1}, {Count: 1, Per: time.Second, Burst: -1}} {
		if got := admitted(newEngine(t, 0).Bind([]limit.Limit{l}), time.Now(), from("192.0.2.1"), 3); got != 0 {
			t.Errorf("%+v admitted %d", l, got)
		}
	}
}

func TestNumbersOfAnySizeStayTrue(t *testing.T) {
	const most = int(^uint(0) >> 1)
	for _, l := range []limit.Limit{
		{Name: "slowest", Count: 1, Per: 1<<63 - 1, Burst: 1},
		{Name: "most at once", Count: 1, Per: 1<<63 - 1, Burst: most},
		{Name: "fastest", Count: most, Per: 1, Burst: most},
	} {
		set, now := newEngine(t, 0).Bind([]limit.Limit{l}), time.Now()
		states, denied := set.Decide(now, from("192.0.2.1"), nil)
		if denied != nil || states[0].Remaining < 0 || states[0].Reset < 0 {
			t.Errorf("%s: denied %v, %+v", l.Name, denied, states)
		}
		if states, _ = set.Decide(now.AddDate(5000, 0, 0), from("192.0.2.1"), nil); states[0].RetryAfter < 0 || states[0].Remaining < 0 {
			t.Errorf("%s, far from now: %+v", l.Name, states)
		}
	}
}
