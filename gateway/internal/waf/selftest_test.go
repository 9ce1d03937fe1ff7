package waf

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"

	"portcullis/gateway/internal/waf/proof"
)

// TestABrokenProofIsCaughtByTheSelfTest: before anything depends on it, and the
// load is refused.
func TestABrokenProofIsCaughtByTheSelfTest(t *testing.T) {
	sound := inspector(t)
	honest := sound.proving.prover
	without := func(change func(s *subject)) lie {
		return func(s *subject) proof.Verdict {
			c := *s
			c.Fields = slices.Clone(s.Fields)
			change(&c)
			return honest.prove(&c)
		}
	}
	blind := func(name string) lie {
		return without(func(s *subject) {
			for n := range s.Fields {
				if s.Fields[n].Name == name {
					s.Fields[n].Value = "curl/8.1"
				}
			}
		})
	}
	for name, p := range map[string]lie{
		"it finds everything clean":     gullible,
		"it reads no body":              without(func(s *subject) { s.body = nil }),
		"it reads no query":             without(func(s *subject) { s.Target, _, _ = strings.Cut(s.Target, "?") }),
		"it reads no path":              without(func(s *subject) { _, query, _ := strings.Cut(s.Target, "?"); s.Target = "/?" + query }),
		"it reads no cookies":           blind("Cookie"),
		"it does not read User-Agents":  blind("User-Agent"),
		"it does not read other fields": blind("X-Note"),
		"it reads the first 20 bytes":   without(func(s *subject) { s.Target = s.Target[:min(len(s.Target), 20)] }),
	} {
		t.Run(name, func(t *testing.T) {
			i := as(sound, ProofOn, p)
			if err := i.selfTest(1); err == nil || !strings.Contains(err.Error(), "write proof: off") {
				t.Errorf("got %v", err)
			} else {
				t.Log(err)
			}
			if !i.proving.off.Load() || i.proving.tested.Load() {
				t.Error("it stays on")
			}
		})
	}
}

func TestASoundProofPassesTheSelfTestAndOnlyOnce(t *testing.T) {
	sound, share := inspector(t), 1
	if raceEnabled {
		share = 4
	}
	asked, clean := 0, 0
	i := as(sound, ProofOn, lie(func(s *subject) proof.Verdict {
		v := sound.proving.prove(s)
		if asked++; v.Clean {
			clean++
		}
		return v
	}))
	for range 2 {
		if err := i.selfTest(share); err != nil {
			t.Fatal(err)
		}
	}
	if want := (len(trials(JSON|Form)) + share - 1) / share; len(trials(JSON|Form)) < 300 || asked != want {
		t.Errorf("asked %d times about %d requests", asked, want)
	}
	if ordinary := strings.Count(ordinaryLines, "\n") / share; clean < ordinary*3/4 {
		t.Errorf("%d are clean; the %d ordinary ones should be", clean, ordinary)
	}
	t.Logf("%d requests, %d clean", asked, clean)
}

// In shadow it decides nothing, so it refuses no load; the alarm is raised.
func TestABrokenProofInShadowLoadsAndRaisesTheAlarm(t *testing.T) {
	i := as(inspector(t), ProofShadow, lie(gullible))
	m, log := watched(t, i)
	if err := i.selfTest(1); err != nil {
		t.Error(err)
	}
	if differences(m, i) == 0 || !strings.Contains(log.String(), "switched off for good") {
		t.Errorf("%d differences, logged %s", differences(m, i), log)
	}
}

// The requests of an exclusion are tried with every load; its text says nothing
// of them.
func TestTheRequestsOfAnExclusionAreHeldAgainstTheEngineToo(t *testing.T) {
	with, err := excluding()
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	i := as(with, ProofOn, lie(func(s *subject) proof.Verdict { asked++; return with.proving.prove(s) }))
	i.proving.tested.Store(true)
	if err := i.selfTest(1); err != nil || asked != 3 {
		t.Errorf("asked about %d: %v", asked, err)
	}
}

func TestABrokenProofRefusesTheLoad(t *testing.T) {
	sound := inspector(t)
	programs := NewPrograms()
	lying := programs.of(sound.directives, files(nil))
	lying.prover = lie(gullible)
	defer runtime.KeepAlive(lying)
	config := Config{Profile: sound.profile, Programs: programs, Log: slog.New(slog.DiscardHandler)}
	if i, err := New(config); err == nil || !strings.Contains(err.Error(), "proves a request clean") {
		t.Errorf("%v, %v", i, err)
	}
	// What was caught lying stays off, and the gateway starts.
	i := as(sound, ProofOn, nil)
	if err := i.startProving(config); err != nil {
		t.Fatal(err)
	}
	if i.proving.proves() {
		t.Error("it is believed again")
	}
}
