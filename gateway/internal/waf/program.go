package waf

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"weak"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/proof"
)

// prover says of a request whether the engine is sure to find nothing in it.
type prover interface {
	// head says it of what comes before the body, and prove goes on from there.
	head(s *subject) proof.Verdict
	prove(s *subject) proof.Verdict
	// proveAnswer says the same of the answer to a request that is clean.
	proveAnswer(a *answer) proof.Verdict
}

// program is the proof compiled from one text, and what became of it. All
// profiles of that text share it.
type program struct {
	prover
	*record
	// unprovable is what it leaves to the engine.
	unprovable []Unprovable
	// hopeless says that it leaves every request to the engine.
	hopeless bool
}

// record is what is remembered of a text for as long as the process lives. A
// program that was caught lying stays off through every reload.
type record struct {
	// tested says that the self-test has passed, off that the program is not
	// believed any more.
	tested, off atomic.Bool
}

// compiled is a program of the package proof.
type compiled struct{ *proof.Program }

func (c compiled) head(s *subject) proof.Verdict {
	k := c.Begin()
	k.Within(s.most)
	s.begun = k.Head(&s.Head)
	s.note(k, s.begun)
	s.check = k // after a panic it is not given back, half changed, to the next
	return s.begun
}

func (c compiled) prove(s *subject) proof.Verdict {
	k, v := s.check, s.begun
	if s.check = nil; k == nil {
		k = c.Begin()
		k.Within(s.most)
		v = k.Head(&s.Head)
	}
	switch {
	case !v.Clean && !v.Narrow:
	case len(s.body) > 0 && k.Processor() != s.format.processor():
		// The engine is not asked about such a body either; see Inspector.run.
		v = proof.Verdict{Why: "the body is not read as it was bounded"}
	default:
		v = k.Body(s.text())
	}
	s.note(k, v)
	k.End()
	return v
}

// note keeps what a check knows of the rules that may match.
func (s *subject) note(k *proof.Check, v proof.Verdict) {
	s.spared, s.cost, s.dear = s.spared[:0], 0, v.Dear
	if v.Narrow {
		s.spared, s.cost = k.Spared(s.spared), k.Cost()
	}
}

func (c compiled) proveAnswer(a *answer) proof.Verdict {
	return c.Answer(&a.Answer, a.text())
}

// maxRecords bounds the texts that are remembered. A policy has a few, and
// edits of a day some dozens.
const maxRecords = 1024

// Programs are the compiled proofs in use, by the text they stand for: it takes
// a tenth of a second and some 20 MiB to compile one, and profiles that stay as
// they are, trials and reloads ask for the same again and again. One that nobody
// uses any more is given back. It is safe for concurrent use.
type Programs struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]*entry
	// automata are shared by texts that look for the same.
	automata *match.Automata
	// memory bounds what all of them take while they match values.
	memory *match.Budget
}

type entry struct {
	program weak.Pointer[program]
	record  *record
}

// NewPrograms returns an empty one.
func NewPrograms() *Programs {
	return &Programs{entries: map[[sha256.Size]byte]*entry{}, automata: match.NewAutomata(), memory: match.NewBudget(proof.DefaultMemory)}
}

// of is the program of a text that includes files. Of those that are not the Core
// Rule Set's it holds the digests.
func (ps *Programs) of(directives string, files fs.FS) *program {
	key := sha256.Sum256([]byte(directives))
	ps.mu.Lock()
	defer ps.mu.Unlock()
	e := ps.entries[key]
	if e == nil {
		ps.makeRoom()
		e = &entry{record: new(record)}
		ps.entries[key] = e
	}
	if p := e.program.Value(); p != nil {
		return p
	}
	p := compile(directives, files, ps.automata, ps.memory.Part())
	p.record = e.record
	e.program = weak.Make(p)
	return p
}

// makeRoom forgets texts that nobody uses, once there are many, but none whose
// program was caught lying.
func (ps *Programs) makeRoom() {
	if len(ps.entries) < maxRecords {
		return
	}
	for key, e := range ps.entries {
		if e.program.Value() == nil && !e.record.off.Load() {
			delete(ps.entries, key)
		}
	}
}

// compile compiles a text that the engine has taken. What we cannot read, for
// whatever reason, is no mistake of the policy: the engine decides alone then.
func compile(directives string, files fs.FS, automata *match.Automata, memory *match.Budget) (p *program) {
	p = &program{}
	defer func() {
		if r := recover(); r != nil {
			p.prover, p.unprovable = nil, []Unprovable{{What: fmt.Sprintf("compiling the proof failed: panic: %v; every request runs the engine", r)}}
		}
	}()
	if why := unpinned(); why != "" {
		p.unprovable = []Unprovable{{What: why + "; every request runs the engine"}}
		return p
	}
	made, err := proof.Compile(proof.Config{Files: files, Directives: directives, Automata: automata, Memory: memory})
	if err != nil {
		p.unprovable = []Unprovable{{What: fmt.Sprintf("compiling the proof failed: %v; every request runs the engine", err)}}
		return p
	}
	p.prover, p.hopeless = compiled{made}, made.Whole() != ""
	for _, u := range made.Unprovable() {
		p.unprovable = append(p.unprovable, unprovableIn(u))
	}
	return p
}
