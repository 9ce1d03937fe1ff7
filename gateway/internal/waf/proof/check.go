package proof

import (
	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/transform"
)

// Check proves one request, in two steps: the head, and the body when it is
// complete. It is for one goroutine.
type Check struct {
	program *Program
	arena   transform.Arena
	walker  *collect.Walker
	head    *collect.Head
	verdict Verdict

	// What is known of the request.
	single    [collect.Variables]string
	present   [collect.Variables]bool
	arguments [2]int
	loads     [collect.Variables]load
	counted   []int // by the number of a selection that counts
	processor string
	force     bool
	exempt    uint64 // by number
	body      bool   // the body is being read

	// What is known of the rules.
	met     []uint32 // links met, by rule
	touched []*rule  // with some link met
	left    []leaving
	pure    bool // the verdict on the value at hand depends on nothing else
	metNow  []*link
	keptNow []*rule
	within  float64  // what asking may cost, in nanoseconds; 0 is no bound
	spent   float64  // of that, since the first rule was found
	tangled float64  // what the quotes of values cost, see untangles
	unread  []int    // what the engine reads for little, by rule, in bytes
	kept    []uint64 // rules that the engine has to be asked about, by number
	done    set      // links that need not be looked at any more
	broken  bool     // something else than rules keeps it from being clean
	upset   bool     // a rule may have changed what others are taken for

	// Room for one value.
	found, candidates match.Bits
	values            []string
	masks             []match.Mask
	stamps            []uint32
	stamp             uint32
	groups            [mostGroups]group
	lower             []byte
	state             state
	requestLine       collect.Head
}

// Begin returns a check; End gives it back.
func (p *Program) Begin() *Check {
	if k, ok := p.checks.Get().(*Check); ok {
		return k
	}
	k := &Check{
		program: p, met: make([]uint32, len(p.rules)), values: make([]string, len(p.nodes)), masks: make([]match.Mask, len(p.nodes)),
		stamps: make([]uint32, len(p.nodes)), kept: make([]uint64, (len(p.rules)+63)/64), unread: make([]int, len(p.rules)),
		counted: make([]int, p.counting),
	}
	if p.automaton != nil {
		k.candidates = p.automaton.NewBits()
		k.found = make(match.Bits, 2*len(k.candidates))
	}
	k.walker = collect.New(&k.arena, p.limits.Bounds)
	return k
}

// End ends a check. What it was given may be changed from here on.
func (k *Check) End() {
	k.forget()
	k.program.checks.Put(k)
}

// forget lets go of all parts of a request.
func (k *Check) forget() {
	k.arena.Reset()
	k.head, k.requestLine, k.verdict = nil, collect.Head{}, Verdict{}
	clear(k.single[:])
	clear(k.touched)
	clear(k.left)
	clear(k.values)
	clear(k.groups[:])
	k.state.forget()
}

// Head proves what is known before the body. When it is neither clean nor narrow,
// Body must not be called. The head must not change before End.
func (k *Check) Head(h *collect.Head) Verdict {
	p := k.program
	k.anew()
	k.head = h
	if p.whole != "" {
		k.unsure(p.whole)
		return k.verdict
	}
	k.processor = firstProcessor(h)
	k.single[collect.BodyProcessor] = k.processor
	if !k.line(h) {
		return k.verdict
	}
	k.choose()
	if err := k.walker.Head(h, k); err != nil {
		return k.ended(err)
	}
	if !k.Value(collect.BodyProcessor, "", k.single[collect.BodyProcessor]) {
		return k.ended(collect.ErrStopped)
	}
	if k.processor != k.single[collect.BodyProcessor] && !k.Value(collect.BodyProcessor, "", k.processor) {
		return k.ended(collect.ErrStopped)
	}
	k.decide()
	return k.said()
}

// anew forgets what was known of another request.
func (k *Check) anew() {
	k.arena.Reset()
	k.head, k.verdict = nil, Verdict{Clean: true}
	k.present, k.arguments, k.loads = [collect.Variables]bool{}, [2]int{}, [collect.Variables]load{}
	k.exempt, k.body, k.force = 0, false, false
	clear(k.met)
	clear(k.kept)
	clear(k.unread)
	k.spent, k.tangled = 0, 0
	k.done, k.broken, k.upset = set{}, false, k.program.narrowing.off != ""
	clear(k.counted)
	k.touched, k.left = k.touched[:0], k.left[:0]
}

// Body proves the rest of a request whose head was clean or narrow. body is empty
// when there is none.
func (k *Check) Body(body string) Verdict {
	k.body = true
	switch {
	case !k.verdict.Clean && !k.verdict.Narrow:
		return k.verdict
	case int64(len(body)) >= k.program.limits.body:
		k.unsure("the body is as long as the engine's limit")
		return k.said()
	case body == "":
		return k.none()
	}
	processor := k.processor
	if k.force && processor == "" {
		processor = "URLENCODED"
		if !k.Value(collect.BodyProcessor, "", processor) {
			return k.ended(collect.ErrStopped)
		}
	}
	var err error
	switch processor {
	case "URLENCODED":
		if !k.noFiles() {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.Form(body, k)
	case "JSON":
		if !k.noFiles() || !k.noText() {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.JSON(body, k)
	case "MULTIPART":
		if !k.noText() {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.Multipart(body, contentType(k.head), k)
	case "XML":
		if !k.noFiles() || !k.noText() {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.XML(body, k)
	default:
		k.unsure("a body that is no form, JSON or XML")
		return k.said()
	}
	if err != nil {
		return k.ended(err)
	}
	k.decide()
	return k.said()
}

// none proves that there is no body.
func (k *Check) none() Verdict {
	if !k.noFiles() || !k.noText() {
		return k.ended(collect.ErrStopped)
	}
	k.decide()
	return k.said()
}

// noFiles and noText judge what the engine has of a body without files, and of one
// that it does not keep as a text. False ends the walk.
func (k *Check) noFiles() bool { return k.Value(collect.FilesCombinedSize, "", "0") }

func (k *Check) noText() bool {
	return k.Value(collect.Body, "", "") && k.Value(collect.BodyLength, "", "0")
}
