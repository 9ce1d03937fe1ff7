package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// crsResult is what came of the cases.
type crsResult struct {
	passed     int
	overridden map[*crsOverride]int
	wrong      []string
}

// TestTheCoreRuleSetsOwnTests sends the regression tests of the Core Rule Set to
// gateways: a tenth of them daily, all of them nightly.
func TestTheCoreRuleSetsOwnTests(t *testing.T) {
	t.Parallel()
	cases := crsCases(t)
	program := buildQuick(t)
	t.Run("every rule says what it should", func(t *testing.T) {
		t.Parallel()
		crsSpeaks(t, program, cases)
	})
	for _, paranoia := range crsLevels {
		t.Run(fmt.Sprint("the proof changes nothing at paranoia ", paranoia), func(t *testing.T) {
			t.Parallel()
			crsAlike(t, program, crsRun(cases), paranoia)
		})
	}
}

// crsSpeaks asks a gateway that asks all rules, up to paranoia level 4, and refuses
// for no score: so every rule that has something to say says it. What the gateway
// itself does not let through, and what the rules say here of something else, is
// in testdata/crs with its reason.
func crsSpeaks(t *testing.T, program string, cases []crsCase) {
	t.Helper()
	overrides := crsOverrides(t, cases)
	telling := newCRSGate(t, program, crsSetting{paranoia: 4, threshold: 10_000, proof: "on"})
	refusing := newCRSGate(t, program, crsSetting{paranoia: 4, threshold: 5, proof: "on"})
	withholding := newCRSGate(t, program, crsSetting{paranoia: 4, threshold: 10_000, outbound: 4, proof: "on"})
	result := crsResult{overridden: map[*crsOverride]int{}}
	run := crsRun(cases)
	for _, c := range run {
		g := telling
		switch { // the rules that refuse for the score
		case strings.HasPrefix(c.id, "949110-"):
			g = refusing
		case strings.HasPrefix(c.id, "959100-"):
			g = withholding
		}
		override, misses, err := g.tried(t, c, overrides)
		switch {
		case err != nil:
			t.Fatalf("%s: %v", c.id, err)
		case misses != "":
			result.wrong = append(result.wrong, c.id+": "+misses)
		case override != nil:
			result.overridden[override]++
		default:
			result.passed++
		}
	}
	if result.wrong != nil {
		t.Errorf("%d of %d cases fail:\n%s", len(result.wrong), len(run), strings.Join(result.wrong, "\n"))
	}
	t.Logf("%d of the %d cases were run: %s", len(run), len(cases), result)
}

// crsRun are the cases of this run.
func crsRun(cases []crsCase) (run []crsCase) {
	for n := crsShare / 2; n < len(cases); n += crsShare {
		run = append(run, cases[n])
	}
	return run
}

func (r crsResult) String() string {
	var b strings.Builder
	total, ignored := 0, 0
	for _, o := range slices.SortedFunc(maps.Keys(r.overridden), func(a, b *crsOverride) int { return r.overridden[b] - r.overridden[a] }) {
		n := r.overridden[o]
		if o.Ignored {
			ignored += n
			continue
		}
		total += n
		fmt.Fprintf(&b, "\n%4d %s", n, o.Name)
	}
	return fmt.Sprintf("%d passed, %d failed, %d ignored, %d overridden:%s", r.passed, len(r.wrong), ignored, total, b.String())
}

// tried sends the requests of a case, and says what is not as it should be. The
// override is the one that a request of it needed.
func (g *crsGate) tried(t *testing.T, c crsCase, overrides map[string]*crsOverride) (needed *crsOverride, misses string, err error) {
	t.Helper()
	for n, s := range c.stages {
		override := cmp.Or(overrides[c.id], overrides[c.stage(n)])
		o, err := g.ask(t, s)
		if err != nil {
			return nil, "", err
		}
		misses := s.want.misses(o)
		if override != nil {
			if misses == "" && !override.Ignored {
				return override, fmt.Sprintf("it needs no override %q", override.Name), nil
			}
			needed, misses = override, override.misses(s.want, o)
		}
		if misses == "" && override.again() {
			s = override.other(s)
			if o, err = g.ask(t, s); err != nil {
				return nil, "", err
			}
			misses = override.finds(s.want, o)
		}
		if misses != "" {
			return needed, fmt.Sprintf("%s\n\tthe answer is %s\n\tto %.300q", misses, o, s.request), nil
		}
	}
	return needed, "", nil
}

// crsAlike asks gateways that refuse as one in use does: whether the proof in
// front of the rules is on, off or in shadow, each case is answered and recorded
// alike.
func crsAlike(t *testing.T, program string, cases []crsCase, paranoia int) {
	t.Helper()
	modes := []string{"off", "on", "shadow"}
	outcomes := make([][]crsOutcome, len(modes))
	gates := make([]*crsGate, len(modes))
	for m, mode := range modes {
		gates[m] = newCRSGate(t, program, crsSetting{paranoia: paranoia, threshold: 5, proof: mode})
	}
	var running sync.WaitGroup
	for m, g := range gates {
		running.Go(func() { outcomes[m] = g.all(t, cases) })
	}
	running.Wait()
	if t.Failed() {
		return
	}
	refused, n := 0, 0
	for _, c := range cases {
		for range c.stages {
			off := outcomes[0][n]
			if off.code == "waf_denied" {
				refused++
			}
			for m, mode := range modes[1:] {
				if got := outcomes[m+1][n]; got.String() != off.String() {
					t.Errorf("%s: with proof: off it is answered %s\nwith proof: %s %s", c.id, off, mode, got)
				}
			}
			n++
		}
	}
	if refused < n/4 {
		t.Errorf("%d of %d attacks were refused: this shows nothing", refused, n)
	}
	for m, mode := range modes {
		clean := gates[m].metric(`portcullis_waf_proof_total{profile="crs",verdict="clean"}`)
		if (clean == "" || clean == "0") != (mode == "off") {
			t.Errorf("with proof: %s, %q requests were proved clean", mode, clean)
		}
		t.Logf("proof: %s: %d requests, %d refused by the rules, %s proved clean", mode, n, refused, clean)
	}
}

// all sends the requests of all cases.
func (g *crsGate) all(t *testing.T, cases []crsCase) (outcomes []crsOutcome) {
	for _, c := range cases {
		for _, s := range c.stages {
			o, err := g.ask(t, s)
			if err != nil {
				t.Errorf("%s: %s: %v", g.crsSetting, c.id, err)
				return nil
			}
			outcomes = append(outcomes, o)
		}
	}
	return outcomes
}
