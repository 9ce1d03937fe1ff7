//go:build !race

package waf

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

var updateCorpus = flag.Bool("update", false, "write what the rules say of the corpus into testdata/benign.paranoiaN.golden")

// leastProved is the share of the requests on which the engine finds nothing that
// must be proved clean at paranoia 1 and 2.
const leastProved = 0.99

// TestBenignCorpus runs ordinary requests through the rules at each level of
// paranoia, with a profile that takes all formats and is the default otherwise. It prints how many are false positives, by
// rule, and how many of the others are proved clean. What the rules say is kept in
// golden files: another version of them shows there what it changes. It is run
// without the race detector, under which the engine is ten times dearer.
func TestBenignCorpus(t *testing.T) {
	requests := corpus(t)
	if len(requests) < 400 {
		t.Fatalf("only %d requests were read", len(requests))
	}
	table := "paranoia  requests  nothing found     denied        some rule     of those with nothing found proved clean\n"
	rules := map[int]*benignRule{} // of all levels so far
	for level := 1; level <= corpusParanoia; level++ {
		i, err := New(Config{Profile: Profile{Name: "benign", BlockingParanoia: level, Formats: allFormats}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s := saidOfBenign{level: level, rules: rules, unsure: map[string][]string{}}
		for _, r := range requests {
			s.ask(t, i, r)
		}
		if s.asked == 0 || s.found == s.asked {
			t.Fatalf("at paranoia %d %d requests were asked about, and all match", level, s.asked)
		}
		table += s.shares()
		if share := float64(s.proved) / float64(s.asked-s.found); level <= 2 && share < leastProved {
			t.Errorf("of the requests on which the engine finds nothing at paranoia %d, %.1f %% are proved clean; at least %.0f %% must be:\n%s",
				level, 100*share, 100*leastProved, s.unproved())
		} else {
			t.Log("\n" + s.unproved())
		}
		compareGolden(t, filepath.Join("testdata", fmt.Sprintf("benign.paranoia%d.golden", level)), s.golden())
	}
	t.Log("\n" + table)
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	t.Log("\n" + got)
	if *updateCorpus {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := readFile(t, file); got != want {
		t.Errorf("the rules say something else of the corpus than %s; read the difference (git diff), once this has written it:\n"+
			"go test -tags coraza.rule.case_sensitive_args_keys,nightly -run TestBenignCorpus ./gateway/internal/waf -update", file)
	}
}

// saidOfBenign is what came of the corpus at one level.
type saidOfBenign struct {
	level, asked, found, denied, proved int
	rules                               map[int]*benignRule
	// unsure are those on which the engine finds nothing and that are not proved,
	// by the reason; refused those that are denied, with the rules.
	unsure  map[string][]string
	refused []string
}

// benignRule is a rule that matched ordinary requests.
type benignRule struct {
	id, level, requests int
	says                string
}

// ask asks the proof and the engine about one request.
func (s *saidOfBenign) ask(t *testing.T, i *Inspector, r benign) {
	t.Helper()
	ctx := context.Background()
	subject, err := i.own(r.make(), r.body)
	if r.refused != 0 || err != nil {
		if denied, ok := errors.AsType[*problem.Problem](err); !ok || denied.Status() != r.refused {
			t.Errorf("%s: our own bounds say %v; the corpus says %d", r.name, err, r.refused)
		}
		return
	}
	s.asked++
	v := i.said(ctx, subject)
	if cost, over := i.tooDear(subject, v); over {
		t.Errorf("%s would be refused at paranoia %d for what the rules would take: %v", r.name, s.level, cost)
	}
	found, err := i.inspect(ctx, subject, math.MaxInt32)
	refusal := effect(found, err)
	switch {
	case err != nil && refusal == "":
		t.Errorf("%s: %v", r.name, err)
	case v.Clean && refusal != "":
		t.Errorf("%s is proved clean at paranoia %d, and the engine %s: %v", r.name, s.level, refusal, found.Rules)
	case refusal != "":
		s.found++
	case v.Clean:
		s.proved++
	default:
		why := proofReason(v).Text
		s.unsure[why] = append(s.unsure[why], r.name)
	}
	if found.interruption != nil || err != nil {
		s.denied++
		s.refused = append(s.refused, fmt.Sprintf("%s %v", r.name, slices.Sorted(slices.Values(found.Rules))))
	}
	for _, id := range found.Rules {
		s.count(id, found.Matches)
	}
}

// count counts a request for a rule, at the level where the rule is first asked.
func (s *saidOfBenign) count(id int, matches []pipeline.Match) {
	rule := s.rules[id]
	if rule == nil {
		rule = &benignRule{id: id, level: s.level}
		if n := slices.IndexFunc(matches, func(m pipeline.Match) bool { return m.Rule == id }); n >= 0 {
			rule.says = matches[n].Message
		}
		s.rules[id] = rule
	}
	if rule.level == s.level {
		rule.requests++
	}
}

// shares is a line of the table.
func (s *saidOfBenign) shares() string {
	percent := func(n, of int) string { return fmt.Sprintf("%d (%.1f %%)", n, 100*float64(n)/float64(of)) }
	return fmt.Sprintf("%-9d %-9d %-17s %-13s %-13s %s\n", s.level, s.asked, percent(s.asked-s.found, s.asked), percent(s.denied, s.asked),
		percent(s.found, s.asked), percent(s.proved, s.asked-s.found))
}

// unproved tells what keeps requests from being proved that could be.
func (s *saidOfBenign) unproved() string {
	var b strings.Builder
	for _, why := range slices.Sorted(maps.Keys(s.unsure)) {
		fmt.Fprintf(&b, "paranoia %d: %s; %d requests, such as\n  %s\n", s.level, why, len(s.unsure[why]), strings.Join(s.unsure[why][:min(5, len(s.unsure[why]))], "\n  "))
	}
	return b.String()
}

// golden is what the rules say, as it is kept: every request that is denied, and
// the rules that are new at this level. From paranoia 2 on only their number:
// most requests are.
func (s *saidOfBenign) golden() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Of %d ordinary requests the Core Rule Set denies %d at paranoia %d, and %d match some rule.\n\nrule    requests  what it says\n",
		s.asked, s.denied, s.level, s.found)
	for _, r := range slices.SortedFunc(maps.Values(s.rules), func(a, b *benignRule) int {
		return cmp.Or(cmp.Compare(b.requests, a.requests), cmp.Compare(a.id, b.id))
	}) {
		if r.level == s.level {
			fmt.Fprintf(&b, "%d  %-8d  %s\n", r.id, r.requests, r.says)
		}
	}
	if s.level == 1 {
		b.WriteString("\nDenied:\n" + strings.Join(s.refused, "\n") + "\n")
	}
	return b.String()
}
