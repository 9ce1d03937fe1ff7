package waf

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestProfilesOfOneTextShareAProgram(t *testing.T) {
	programs := NewPrograms()
	shared := programs.of(inspector(t).directives, files(nil)) // the text of all below
	shared.tested.Store(true)
	defer runtime.KeepAlive(shared)
	load := func(mode Proof) *Inspector {
		t.Helper()
		i := as(inspector(t), mode, nil)
		if err := i.startProving(Config{Programs: programs, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		return i
	}
	one, other := load(ProofOn), load(ProofShadow)
	if one.proving.program != other.proving.program {
		t.Error("two programs of one text")
	}
	// What one catches lying, none believes.
	other.proving.off.Store(true)
	if one.proving.proves() || !other.proving.proves() {
		t.Error("the alarm of one does not reach the other, or ends a shadow")
	}
	again := load(ProofOn)
	if again.proving.proves() {
		t.Error("a reload believes it again")
	}
	runtime.KeepAlive(one)
}

func TestAProgramThatNobodyUsesIsGivenBack(t *testing.T) {
	programs := NewPrograms()
	const text = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule ARGS \"@rx attack\" \"id:1,phase:2,deny\""
	programs.of(text, files(nil)).tested.Store(true)
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		runtime.GC()
		kept := false
		for _, e := range programs.entries {
			kept = kept || e.program.Value() != nil
		}
		if !kept {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is kept")
		}
	}
	if !programs.of(text, files(nil)).tested.Load() {
		t.Error("the self-test of the same text runs again")
	}
}

func TestProgramsAreBounded(t *testing.T) {
	programs := NewPrograms()
	programs.of("not even a directive", files(nil)).off.Store(true)
	for n := range maxRecords + 50 {
		programs.of(strings.Repeat("#", n+1), files(nil))
		if n%100 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	programs.makeRoom()
	if n := len(programs.entries); n > maxRecords {
		t.Errorf("%d are remembered", n)
	}
	if !programs.of("not even a directive", files(nil)).off.Load() {
		t.Error("one that was caught lying is forgotten")
	}
}

// What the proof does not understand, the engine decides, and somebody is told.
func TestWhatCannotBeProvedIsNamed(t *testing.T) {
	const rules = "SecRuleEngine On\nSecRequestBodyAccess On\n"
	for name, tc := range map[string]struct{ directives, want string }{
		"an operator": {rules + `SecRule ARGS_POST "@inspectFile /bin/true" "id:10003,phase:2,deny,log"`,
			"rule 10003 at line 3: operator @inspectFile is not provable; requests with ARGS_POST always run the engine"},
		"a directive":         {rules + "SecRule ARGS x id:1,phase:2,deny\nSecAnything On", "every request runs the engine"},
		"a text of no sense":  {`SecRule "`, "every request runs the engine"},
		"a text without rule": {rules, "every request runs the engine"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(compile(tc.directives, files(nil), nil, nil).unprovable); !strings.Contains(got, tc.want) {
				t.Errorf("told %q, want %q", got, tc.want)
			}
		})
	}
}
