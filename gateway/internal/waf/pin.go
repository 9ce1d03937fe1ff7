package waf

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// The proof was held against these versions of the engine and of the rules, and
// says nothing about others. TestThePinsAreThoseOfTheModule tells when go.mod has
// moved on: then run the nightly tests of the package proof before these lines
// follow.
const (
	engineModule, engineVersion = "github.com/corazawaf/coraza/v3", "v3.8.1"
	rulesModule, rulesVersion   = "github.com/corazawaf/coraza-coreruleset/v4", "v4.25.0"
	sqliModule, sqliVersion     = "github.com/corazawaf/libinjection-go", "v0.3.3"
)

// unpinned is why this binary has another engine than the proof was held
// against; empty when it has the same.
func unpinned() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "this binary does not tell which versions it was built from"
	}
	if strings.HasSuffix(info.Path, ".test") && len(info.Deps) == 0 {
		return "" // go test lists no modules; it builds by go.mod, and a test holds the pins against that
	}
	return unpinnedIn(info.Deps)
}

func unpinnedIn(deps []*debug.Module) string {
	for _, pin := range [...]struct{ module, version string }{{engineModule, engineVersion}, {rulesModule, rulesVersion}, {sqliModule, sqliVersion}} {
		found := "none"
		for _, m := range deps {
			if m.Path != pin.module {
				continue
			}
			if found = m.Version; m.Replace != nil {
				found = fmt.Sprintf("%s %s in its place", m.Replace.Path, m.Replace.Version)
			}
		}
		if found != pin.version {
			return fmt.Sprintf("the proof knows %s %s, and this binary was built with %s", pin.module, pin.version, found)
		}
	}
	return ""
}
