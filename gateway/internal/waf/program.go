package waf

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"weak"

	crs "github.com/corazawaf/coraza-coreruleset/v4"

	"portcullis/gateway/internal/waf/proof"
)

// prover says of a request whether the engine is sure to find nothing in it.
type prover interface {
	prove(s *subject) proof.Verdict
}

// program is the proof compiled from one text, and what became of it. All
// profiles of that text share it.
type program struct {
	prover
	*record
	// unprovable is what it leaves to the engine, a line each.
	unprovable []string
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

func (c compiled) prove(s *subject) proof.Verdict {
	k := c.Begin()
	v := k.Head(&s.Head)
	switch {
	case !v.Clean:
	case len(s.body) > 0 && k.Processor() != s.format.processor():
		// The engine is not asked about such a body either; see Inspector.run.
		v = proof.Verdict{Why: "the body is not read as it was bounded"}
	default:
		v = k.Body(s.text())
	}
	k.End() // after a panic it is not given back, half changed, to the next
	return v
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
}

type entry struct {
	program weak.Pointer[program]
	record  *record
}

// NewPrograms returns an empty one.
func NewPrograms() *Programs {
	return &Programs{entries: map[[sha256.Size]byte]*entry{}}
}

// of is the program of a text.
func (ps *Programs) of(directives string) *program {
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
	p := compile(directives)
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
func compile(directives string) (p *program) {
	p = &program{}
	defer func() {
		if r := recover(); r != nil {
			p.prover, p.unprovable = nil, []string{fmt.Sprintf("compiling the proof failed: panic: %v; every request runs the engine", r)}
		}
	}()
	if why := unpinned(); why != "" {
		p.unprovable = []string{why + "; every request runs the engine"}
		return p
	}
	made, err := proof.Compile(proof.Config{Files: crs.FS, Directives: directives})
	if err != nil {
		p.unprovable = []string{fmt.Sprintf("compiling the proof failed: %v; every request runs the engine", err)}
		return p
	}
	p.prover = compiled{made}
	for _, u := range made.Unprovable() {
		p.unprovable = append(p.unprovable, u.String())
	}
	return p
}
