package waf

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// sound scores as the engine does: what holds the attack is critical.
func sound(r *http.Request, body string) (int, error) {
	if strings.Contains(r.URL.RawQuery+body, "UNION") {
		return critical, nil
	}
	return 0, nil
}

func TestProbe(t *testing.T) {
	profile := Profile{Name: "json-api", Inbound: 5, Formats: JSON | Form}
	for name, tc := range map[string]struct {
		evaluate func(*http.Request, string) (int, error)
		want     string // in the error; empty for none
	}{
		"a sound engine passes": {sound, ""},
		"a binary built without the tag is refused": {func(r *http.Request, body string) (int, error) {
			// Such an engine keeps one of two names by map order: at worst it
			// is found out by the last try only.
			if strings.Contains(body, strings.Repeat("Q", probeTries)+"=1") {
				return 0, nil
			}
			return sound(r, body)
		}, "-tags coraza.rule.case_sensitive_args_keys"},
		"an engine that does not read JSON is refused": {func(r *http.Request, body string) (int, error) {
			if strings.HasPrefix(body, "{") {
				return 0, nil
			}
			return sound(r, body)
		}, "in a JSON body"},
		"an engine that does not read forms is refused": {func(r *http.Request, body string) (int, error) {
			if strings.HasPrefix(body, "q=") && !strings.Contains(body, "&") {
				return 0, nil
			}
			return sound(r, body)
		}, "in a form"},
		"an engine that sees no query is refused": {func(_ *http.Request, body string) (int, error) {
			return sound(&http.Request{URL: probeRequest("", "", "").URL}, body)
		}, "in the query"},
		"an engine that denies everything is refused": {func(*http.Request, string) (int, error) { return critical, nil }, "plain GET /"},
		"an engine that fails is refused":             {func(*http.Request, string) (int, error) { return 0, errEngine }, "the WAF engine failed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := probe(profile, tc.evaluate)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNewRefusesAProfileOutOfBounds(t *testing.T) {
	for name, tc := range map[string]struct {
		profile Profile
		want    string
	}{
		"no name":                               {Profile{}, "no name"},
		"a paranoia of 5":                       {Profile{Name: "x", BlockingParanoia: 5}, "paranoia.blocking 5"},
		"detection that looks less than blocks": {Profile{Name: "x", BlockingParanoia: 3, DetectionParanoia: 2}, "between 3 and 4"},
		"a negative threshold":                  {Profile{Name: "x", Inbound: -1}, "threshold.inbound -1"},
		"1001 arguments":                        {Profile{Name: "x", Args: MaxArgs + 1}, "inspect.args 1001"},
		"a body of more than 64 KiB":            {Profile{Name: "x", Body: MaxBody + 1}, "inspect.body 65537"},
		"a body too small to probe":             {Profile{Name: "x", Body: 255}, "inspect.body 255"},
		"a depth without end":                   {Profile{Name: "x", Depth: 1000}, "inspect.depth 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Profile: tc.profile, Log: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNoRulesIsAnError(t *testing.T) {
	if err := loaded("json-api", 0); err == nil || !strings.Contains(err.Error(), "no rule") {
		t.Errorf("got %v", err)
	}
	if n := inspector(t).Rules(); n < 400 {
		t.Errorf("%d rules loaded, the Core Rule Set has more than 400", n)
	}
}

func TestEveryParanoiaLevelLoads(t *testing.T) {
	for level := 1; level <= maxParanoia; level++ {
		profile := Profile{Name: "x", BlockingParanoia: level}
		if level > provenParanoia {
			profile.Proof = ProofOff
		}
		i, err := New(Config{Profile: profile, Programs: plainPrograms, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if got := i.Profile(); got.DetectionParanoia != level || got.Inbound != 5 || got.Args != defaultArgs || got.Body != MaxBody {
			t.Errorf("level %d has the profile %+v", level, got)
		}
	}
}

// A high threshold is how a policy begins carefully; it must not be taken for a
// broken engine.
func TestAHighThresholdLoadsAndStillScores(t *testing.T) {
	i, err := New(Config{Profile: Profile{Name: "careful", Inbound: 1000, Proof: ProofOff}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tx := request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", "")
	if err := NewStage(NewGate(0), &Use{Inspector: i}).Decide(tx); err != nil {
		t.Fatal(err)
	}
	if tx.WAF.Score < 5 || len(tx.WAF.Rules) == 0 {
		t.Errorf("inspection is %+v", tx.WAF)
	}
}

type closer chan struct{}

func (c closer) Close() error { close(c); return errors.New("ignored") }

func TestAnInspectorNobodyUsesIsReleased(t *testing.T) {
	closed := make(closer)
	releaseWith(&Inspector{profile: Profile{Name: "gone"}}, closed)
	deadline := time.After(time.Minute)
	for {
		runtime.GC()
		select {
		case <-closed:
			return
		case <-deadline:
			t.Fatal("the engine was not closed")
		default:
			runtime.Gosched()
		}
	}
}
