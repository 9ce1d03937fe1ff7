package reload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/reload"
	"portcullis/policies/policy"
)

// compiler makes snapshots that hold no more than the version.
type compiler func(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error)

func (c compiler) Compile(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error) {
	return c(doc, prev)
}

func plain(doc *policy.Document, _ *pipeline.Snapshot) (*pipeline.Snapshot, error) {
	return &pipeline.Snapshot{Version: doc.Version}, nil
}

// fixture is a reloader over a real folder.
type fixture struct {
	*reload.Reloader
	t        *testing.T
	dir      string
	current  *pipeline.Current
	registry *prometheus.Registry
	log      bytes.Buffer
	retired  [][2]*pipeline.Snapshot
	// try stands for the policy's own tests.
	try func(*policy.Document, *pipeline.Snapshot) error
	// print stands for the fingerprint of the files.
	print func() [32]byte
}

func newFixture(t *testing.T, c compiler) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), current: &pipeline.Current{}, registry: prometheus.NewRegistry()}
	var err error
	f.Reloader, err = reload.New(reload.Config{
		Files: os.DirFS(f.dir), Env: func(string) (string, bool) { return "", false }, Compiler: c, Current: f.current,
		Fingerprint: func() (same [32]byte) {
			if f.print == nil {
				return same
			}
			return f.print()
		},
		Try: func(doc *policy.Document, candidate *pipeline.Snapshot) error {
			if f.try == nil {
				return nil
			}
			return f.try(doc, candidate)
		},
		Retire:  func(prev, next *pipeline.Snapshot) { f.retired = append(f.retired, [2]*pipeline.Snapshot{prev, next}) },
		Metrics: f.registry, Log: slog.New(slog.NewJSONHandler(&f.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "gateway.yaml"), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// metric gives the value of a gauge, or of the counter of a result.
func (f *fixture) metric(name, result string) float64 {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if result == "" {
				return m.GetGauge().GetValue()
			}
			if m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// logged gives the lines of the log that have this message.
func (f *fixture) logged(message string) (lines []map[string]any) {
	f.t.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(f.log.Bytes())); decoder.More(); {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			f.t.Fatal(err)
		}
		if line["msg"] == message {
			lines = append(lines, line)
		}
	}
	return lines
}

const good, better = "version: 1\nhosts: [localhost]\n", "version: 1\nhosts: [localhost, api.hotel.test]\n"

func TestAGoodPolicyComesIntoForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	before := time.Now()
	if err := f.Load("start"); err != nil {
		t.Fatal(err)
	}
	s, status := f.current.Load(), f.Status()
	if s == nil || s.Version == "" || status.Version != s.Version || status.Error != "" {
		t.Fatalf("snapshot %v, status %+v", s, status)
	}
	if status.Why != "start" {
		t.Errorf("it is in force because of %q", status.Why)
	}
	if status.Since.Before(before) || !status.Tried.Equal(status.Since) {
		t.Errorf("in force since %v, tried %v", status.Since, status.Tried)
	}
	if f.metric("portcullis_policy_reload_success", "") != 1 || f.metric("portcullis_policy_reloads_total", "success") != 1 ||
		f.metric("portcullis_policy_loaded_timestamp_seconds", "") < float64(before.Unix()) {
		t.Error("the metrics do not tell")
	}
	if len(f.logged("policy in force")) != 1 {
		t.Errorf("the log says %s", f.log.String())
	}
}

func TestAMistakeKeepsThePolicyBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	if err := f.Load("start"); err != nil {
		t.Fatal(err)
	}
	kept, since := f.current.Load(), f.Status().Since
	f.write("version: 1\nhosts: [localhost]\nhots: []\ndefaults: {timeout: 3}\n")
	err := f.Load("files changed")
	if mistakes, ok := errors.AsType[policy.Mistakes](err); !ok || len(mistakes) != 2 {
		t.Fatalf("the error is not the two mistakes: %v", err)
	}
	status := f.Status()
	if f.current.Load() != kept || len(f.retired) != 1 || status.Version != kept.Version || !status.Since.Equal(since) {
		t.Error("the policy before is not in force any more")
	}
	if !strings.Contains(status.Error, "gateway.yaml:3:1") || !strings.Contains(status.Error, "gateway.yaml:4:21") {
		t.Errorf("the status does not say where: %q", status.Error)
	}
	if f.metric("portcullis_policy_reload_success", "") != 0 || f.metric("portcullis_policy_reloads_total", "failure") != 1 {
		t.Error("the metrics do not tell")
	}
	var places []any
	for _, line := range f.logged("policy refused; the one before it stays in force") {
		places = append(places, line["place"])
	}
	if fmt.Sprint(places) != "[gateway.yaml:3:1 gateway.yaml:4:21]" {
		t.Errorf("the log has the places %v", places)
	}

	f.write(good)
	if err := f.Load("files changed"); err != nil {
		t.Fatal(err)
	}
	if f.Status().Error != "" || f.metric("portcullis_policy_reload_success", "") != 1 {
		t.Error("a mended policy still counts as broken")
	}
}

func TestAMistakeAtTheStartLeavesNothingInForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write("version: 2\n")
	if f.Load("start") == nil || f.current.Load() != nil || len(f.retired) != 0 {
		t.Error("something is in force")
	}
	if len(f.logged("policy refused; none is in force")) != 1 {
		t.Errorf("the log says %s", f.log.String())
	}
}

func TestWhatTheCompilerRefusesIsRefused(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]compiler{
		"an error": func(*policy.Document, *pipeline.Snapshot) (*pipeline.Snapshot, error) {
			return nil, errors.New("no such rule set")
		},
		"a panic": func(*policy.Document, *pipeline.Snapshot) (*pipeline.Snapshot, error) { panic("no such rule set") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compile := compiler(plain)
			f := newFixture(t, func(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error) {
				return compile(doc, prev)
			})
			f.write(good)
			if err := f.Load("start"); err != nil {
				t.Fatal(err)
			}
			kept := f.current.Load()
			compile = broken
			f.write(better)
			if err := f.Load("signal"); err == nil || !strings.Contains(err.Error(), "no such rule set") {
				t.Errorf("got %v", err)
			}
			if f.current.Load() != kept || !strings.Contains(f.Status().Error, "no such rule set") || f.metric("portcullis_policy_reload_success", "") != 0 {
				t.Errorf("status %+v", f.Status())
			}
		})
	}
}

func TestAnUnchangedPolicySwapsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	if err := f.Load("start"); err != nil {
		t.Fatal(err)
	}
	kept, since := f.current.Load(), f.Status().Since
	if err := f.Load("signal"); err != nil {
		t.Fatal(err)
	}
	if status := f.Status(); f.current.Load() != kept || !status.Since.Equal(since) || status.Why != "start" {
		t.Errorf("an equal policy replaced the one in force: %+v", status)
	}
	if len(f.retired) != 2 || f.retired[1][0] == kept || f.retired[1][1] != kept {
		t.Error("what was compiled in vain is not let go of")
	}
	if f.metric("portcullis_policy_reloads_total", "success") != 2 || len(f.logged("policy unchanged")) != 1 {
		t.Error("nobody learns that it was tried")
	}
}

func TestRetireGetsTheOldAndTheNew(t *testing.T) {
	t.Parallel()
	var seen []*pipeline.Snapshot
	f := newFixture(t, func(doc *policy.Document, prev *pipeline.Snapshot) (*pipeline.Snapshot, error) {
		seen = append(seen, prev)
		return plain(doc, prev)
	})
	var inForce []*pipeline.Snapshot
	for _, text := range []string{good, better} {
		f.write(text)
		if err := f.Load("files changed"); err != nil {
			t.Fatal(err)
		}
		inForce = append(inForce, f.current.Load())
	}
	want := [][2]*pipeline.Snapshot{{nil, inForce[0]}, {inForce[0], inForce[1]}}
	if len(f.retired) != 2 || f.retired[0] != want[0] || f.retired[1] != want[1] {
		t.Errorf("retired %v, want %v", f.retired, want)
	}
	if len(seen) != 2 || seen[0] != nil || seen[1] != inForce[0] {
		t.Error("the compiler was not given the snapshot in force")
	}
}

// A signal and a changed file may come together.
func TestLoadsAtOnceComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	made := 0 // only the lock of Load keeps this from being a race
	f := newFixture(t, func(*policy.Document, *pipeline.Snapshot) (*pipeline.Snapshot, error) {
		made++
		return &pipeline.Snapshot{Version: fmt.Sprint(made)}, nil
	})
	f.write(good)
	const loads = 50
	var all sync.WaitGroup
	for range loads {
		all.Go(func() {
			if err := f.Load("signal"); err != nil {
				t.Error(err)
			}
			_ = f.Status()
		})
	}
	all.Wait()
	if len(f.retired) != loads || f.current.Load().Version != fmt.Sprint(loads) || f.Status().Version != fmt.Sprint(loads) {
		t.Fatalf("%d swaps, version %s in force", len(f.retired), f.current.Load().Version)
	}
	for i := 1; i < loads; i++ {
		if f.retired[i][0] != f.retired[i-1][1] {
			t.Fatalf("swap %d retired a snapshot that was not in force", i)
		}
	}
}

func TestHalfAnEditIsNeverInForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	edits := 0
	f.print = func() (sum [32]byte) { // an edit ends while the files are first read
		if edits++; edits == 2 {
			f.write(better)
		}
		sum[0] = byte(min(edits, 2))
		return sum
	}
	if err := f.Load("signal"); err != nil {
		t.Fatal(err)
	}
	loaded := f.current.Load().Version
	f.print = nil
	if err := f.Load("signal"); err != nil || f.current.Load().Version != loaded {
		t.Errorf("what was in force was not what is there: %v", err)
	}
	f.print = func() (sum [32]byte) { edits++; sum[0] = byte(edits); return sum }
	if err := f.Load("signal"); err == nil || !strings.Contains(err.Error(), "change while they are read") || f.current.Load().Version != loaded {
		t.Errorf("files that never keep still: %v", err)
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	if _, err := reload.New(reload.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	f := newFixture(t, plain)
	_, err := reload.New(reload.Config{
		Files: os.DirFS(f.dir), Env: os.LookupEnv, Compiler: compiler(plain), Current: f.current, Metrics: f.registry, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		t.Error("two reloaders count in the same metrics")
	}
	if problems, err := testutil.GatherAndLint(f.registry); err != nil || len(problems) > 0 {
		t.Errorf("the metrics are badly named: %v, %v", problems, err)
	}
}
