package waf

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

func TestThePinsAreThoseOfTheModule(t *testing.T) {
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{engineModule + " " + engineVersion, rulesModule + " " + rulesVersion, sqliModule + " " + sqliVersion} {
		if !strings.Contains(string(text), "\t"+pin+"\n") {
			t.Errorf("go.mod has no line %q: the proof has not been held against what is built; run the nightly tests of gateway/internal/waf/proof, then move the pin", pin)
		}
	}
	if strings.Contains(string(text), "replace") {
		t.Error("go.mod replaces a module")
	}
	if why := unpinned(); why != "" {
		t.Error(why)
	}
}

func TestAnotherEngineIsNotProved(t *testing.T) {
	pinned := func() []*debug.Module {
		return []*debug.Module{{Path: engineModule, Version: engineVersion}, {Path: rulesModule, Version: rulesVersion}, {Path: sqliModule, Version: sqliVersion}}
	}
	if why := unpinnedIn(pinned()); why != "" {
		t.Error(why)
	}
	for name, broken := range map[string]func(all []*debug.Module) []*debug.Module{
		"a newer engine": func(all []*debug.Module) []*debug.Module { all[0].Version = "v3.8.2"; return all },
		"other rules":    func(all []*debug.Module) []*debug.Module { all[1].Version = "v4.26.0"; return all },
		"an engine of one's own": func(all []*debug.Module) []*debug.Module {
			all[0].Replace = &debug.Module{Path: "../coraza"}
			return all
		},
		"nothing is told": func([]*debug.Module) []*debug.Module { return nil },
	} {
		if why := unpinnedIn(broken(pinned())); why == "" {
			t.Errorf("%s: taken for the pinned one", name)
		}
	}
}
