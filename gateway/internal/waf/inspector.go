// Package waf decides whether a request looks like an attack. It holds the
// stage "inspect", which asks the Core Rule Set through the Coraza engine. What
// the engine cannot read in full, it is not asked: such a request is refused
// before. Where a profile asks for it, answers are held back and inspected too. A
// failure of the engine is a fault, never "allow".
package waf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"

	"portcullis/services/problem"
)

// Config is what an inspector is made from.
type Config struct {
	Profile Profile
	// Exclusions keep rules from some parts of requests. Each is proved to do
	// what it is for, and no more than that.
	Exclusions []Exclusion
	// Patches are further rules. Each is proved to refuse what it is for.
	Patches []Patch
	// Programs share compiled proofs; nil shares none.
	Programs *Programs
	// Metrics count what the proof does; nil counts nothing.
	Metrics *Metrics
	// Log tells what was loaded and what went wrong in the engine.
	Log *slog.Logger
}

// Inspector is the rule set loaded for one profile. It is safe for concurrent
// use. Its memory is given back when nothing refers to it any more, hence
// when the last snapshot and the last request that used it are gone.
type Inspector struct {
	profile    Profile
	exclusions []Exclusion
	patches    []Patch
	patchRules map[int]patchRule // by id
	engine     coraza.WAF
	directives string
	rules      int
	log        *slog.Logger
	proving    proving
	subjects   sync.Pool
}

// New loads the rules for a profile, about 30 ms of CPU and 2 MB once the
// first is loaded, and proves that they work. The proof in front of them is
// compiled from the same text and held against the engine, once for each text:
// a quarter of a second and 20 MiB. It fails when the profile is out of bounds,
// when no rule was loaded, when an attack passes the probe, or when the proof says
// clean of what the engine does not. With exclusions it loads them once more,
// without, and fails with Unproved for each that does not do what its requests say;
// for each patch likewise, and fails with PatchMistake.
func New(c Config) (*Inspector, error) {
	profile, err := c.Profile.complete()
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		return nil, fmt.Errorf("the WAF profile %q was given no log", profile.Name)
	}
	if err := checkExclusions(c.Exclusions); err != nil {
		return nil, err
	}
	if err := checkPatches(c.Patches); err != nil {
		return nil, err
	}
	if c.Programs == nil {
		c.Programs = NewPrograms()
	}
	began := time.Now()
	i, err := load(profile, c.Exclusions, c.Patches, c.Log)
	if err != nil {
		return nil, err
	}
	if err := provePatches(i); err != nil {
		return nil, err
	}
	if err := i.probe(); err != nil {
		return nil, err
	}
	if len(c.Exclusions) > 0 {
		bare, err := load(profile, nil, c.Patches, c.Log)
		if err != nil {
			return nil, err
		}
		if err := prove(bare, i); err != nil {
			return nil, err
		}
	}
	if err := i.startProving(c); err != nil {
		return nil, err
	}
	if err := i.probeAnswers(); err != nil {
		return nil, err
	}
	c.Log.LogAttrs(context.Background(), slog.LevelInfo, "WAF rules loaded", slog.String("profile", profile.Name),
		slog.Int("rules", i.rules), slog.Duration("took", time.Since(began)))
	return i, nil
}

// load loads the rules, without a proof that they work.
func load(p Profile, exclusions []Exclusion, patches []Patch, log *slog.Logger) (*Inspector, error) {
	readFormsInMemory()
	registerApart()
	rules, err := rulesWith(patches)
	if err != nil {
		return nil, err
	}
	known, err := patchRules(patches)
	if err != nil {
		return nil, err
	}
	directives := p.directives(rules)
	for _, e := range exclusions {
		directives += e.directives()
	}
	engine, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(files(patches)).WithDirectives(directives))
	if err != nil {
		return nil, fmt.Errorf("loading the rules of the WAF profile %q: %w", p.Name, err)
	}
	i := &Inspector{profile: p, exclusions: exclusions, patches: patches, patchRules: known, engine: engine, directives: directives, rules: count(engine), log: log}
	if closer, ok := engine.(experimental.WAFCloser); ok {
		releaseWith(i, closer)
	}
	return i, loaded(p.Name, i.rules)
}

// Rules counts the rules loaded.
func (i *Inspector) Rules() int { return i.rules }

// Profile is the profile in force, with its defaults.
func (i *Inspector) Profile() Profile { return i.profile }

// count tells how many rules an engine has; 0 when it cannot tell, which New
// takes for none.
func count(engine coraza.WAF) int {
	if counter, ok := engine.(experimental.WAFWithRules); ok {
		return counter.RulesCount()
	}
	return 0
}

// loaded refuses an engine without rules: it would let everything pass and look
// healthy.
func loaded(profile string, rules int) error {
	if rules > 0 {
		return nil
	}
	return fmt.Errorf("the WAF profile %q has loaded no rule; this binary was built without the Core Rule Set", profile)
}

// releaseWith closes the engine once i is unreachable. Otherwise every reload
// would leave compiled patterns behind in the engine's process-wide cache.
func releaseWith(i *Inspector, engine io.Closer) {
	runtime.AddCleanup(i, func(engine io.Closer) { _ = engine.Close() }, engine) // it only ever returns nil
}

// errEngine marks what is the engine's failure and not the request's.
var errEngine = errors.New("the WAF engine failed")

// refused is a request the engine must not see, told in one public sentence.
func refused(code problem.Code, detail string) error { return problem.New(code, detail) }
