package proof

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/transform"
)

// Verdict is what is known about a request.
type Verdict struct {
	// Clean says that the engine would not have an effect on the request.
	Clean bool
	// Rule is the one whose condition is met, 0 when it is no rule that keeps
	// the request from being proved.
	Rule int
	// Why says what, for metrics; it has no part of the request in it.
	Why string
	// Narrow says of a request that is not clean that nothing but rules keeps it
	// from being so: the engine need be asked about those only that Check.Spared
	// does not list.
	Narrow bool
	// Dear says of a request that is neither that asking about those rules alone
	// would cost more than Within allows, as far as it has been read.
	Dear bool
}

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

const mostGroups = 64

// leaving is what a value left behind that met a link of a longer rule.
type leaving struct {
	link     *link
	variable collect.Variable
	name     string
	value    string
}

// group is a value as several chains left it.
type group struct {
	value string
	mask  match.Mask
	links set
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

// unsure notes that something else than a rule keeps a request from being clean;
// it returns false, to end a walk.
func (k *Check) unsure(why string) bool {
	k.broken = true
	if k.verdict.Clean {
		k.verdict = Verdict{Why: why}
	}
	return false
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

// said is the verdict when a walk has reached its end.
func (k *Check) said() Verdict {
	k.verdict.Narrow = !k.verdict.Clean && !k.broken && !k.upset
	return k.verdict
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
	k.spent = 0
	k.done, k.broken, k.upset = set{}, false, k.program.narrowing.off != ""
	clear(k.counted)
	k.touched, k.left = k.touched[:0], k.left[:0]
}

// ended is the verdict when a walk did not reach the end.
func (k *Check) ended(err error) Verdict {
	if !errors.Is(err, collect.ErrStopped) {
		k.unsure(err.Error())
	}
	k.broken = true
	return k.said()
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
		if !k.Value(collect.FilesCombinedSize, "", "0") {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.Form(body, k)
	case "JSON":
		if !k.Value(collect.FilesCombinedSize, "", "0") || !k.Value(collect.Body, "", "") || !k.Value(collect.BodyLength, "", "0") {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.JSON(body, k)
	case "MULTIPART":
		if !k.Value(collect.Body, "", "") || !k.Value(collect.BodyLength, "", "0") {
			return k.ended(collect.ErrStopped)
		}
		err = k.walker.Multipart(body, contentType(k.head), k)
	case "XML":
		if !k.Value(collect.FilesCombinedSize, "", "0") || !k.Value(collect.Body, "", "") || !k.Value(collect.BodyLength, "", "0") {
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
	if !k.Value(collect.FilesCombinedSize, "", "0") || !k.Value(collect.Body, "", "") || !k.Value(collect.BodyLength, "", "0") {
		return k.ended(collect.ErrStopped)
	}
	k.decide()
	return k.said()
}

// Value judges one value; false ends the walk.
func (k *Check) Value(v collect.Variable, name, value string) bool {
	k.present[v] = true
	k.loads[v].add(value)
	p := k.program.plans[v]
	lower := ""
	switch v {
	case collect.ArgsGet, collect.ArgsPost:
		if k.arguments[v]++; k.arguments[v] > k.program.limits.Args {
			return k.unsure(collect.ErrArgs.Error())
		}
	case collect.Headers:
		lower = k.lowered(name)
		if of := k.program.fields[lower]; of != nil {
			p = of
		}
	}
	for _, s := range p.counted {
		if s.covers(name, k.lowered(name)) {
			k.counted[s.number]++
		}
	}
	if !p.any {
		return true
	}
	how := remembers(v, lower, value)
	if how == never {
		return k.judge(p, v, name, value)
	}
	if r := k.program.memory.find(p, value, how); r != nil {
		for _, l := range r.met {
			if !k.meets(l, v, name, value) {
				return false
			}
		}
		for _, of := range r.kept {
			if !k.keep(of) {
				return false
			}
		}
		return true
	}
	k.pure, k.metNow, k.keptNow = true, k.metNow[:0], k.keptNow[:0]
	if !k.judge(p, v, name, value) {
		return false
	}
	// Once a rule has been found, not all that a value meets is looked for.
	if k.pure && k.verdict.Clean {
		k.program.memory.keep(p, value, how, k.metNow, k.keptNow)
	}
	return true
}

// lowered is a name in lower case; it lives until the next call.
func (k *Check) lowered(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' || c >= 0x80 {
			return k.toLower(name)
		}
	}
	return name
}

func (k *Check) toLower(name string) string {
	k.lower = k.lower[:0]
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return strings.ToLower(name)
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		k.lower = append(k.lower, c)
	}
	return unsafe.String(unsafe.SliceData(k.lower), len(k.lower))
}

// judge looks for links that a value meets.
func (k *Check) judge(p *plan, v collect.Variable, name, value string) bool {
	m := match.MaskOf(value)
	if k.stamp++; k.stamp == 0 {
		clear(k.stamps)
		k.stamp = 1
	}
	k.values[0], k.masks[0], k.stamps[0] = value, m, k.stamp
	if p.trigger&m == 0 {
		if !k.scan(&p.links, p, v, name, value, m) {
			return false
		}
	} else if !k.transformed(p, v, name, m) {
		return false
	}
	for i := range p.rewriting {
		c := &p.rewriting[i]
		if !c.aliveRewritten(m, len(value)) {
			continue
		}
		w, wm := k.node(c.node)
		if len(w) >= c.shortest && !k.scan(&c.links, p, v, name, w, wm) {
			return false
		}
	}
	return true
}

// transformed judges a value through all chains; what several leave alike is
// read once.
func (k *Check) transformed(p *plan, v collect.Variable, name string, m match.Mask) bool {
	n := 0
chains:
	for i := range p.chains {
		c := &p.chains[i]
		if !c.alive(m) {
			continue
		}
		w, wm := k.node(c.node)
		for g := range k.groups[:n] {
			if of := &k.groups[g]; len(of.value) == len(w) && unsafe.StringData(of.value) == unsafe.StringData(w) {
				for i := range of.links {
					of.links[i] |= c.links[i]
				}
				continue chains
			}
		}
		if n == mostGroups {
			return k.unsure("too many transformations")
		}
		k.groups[n] = group{w, wm, c.links}
		n++
	}
	for g := range n {
		of := &k.groups[g]
		if !k.scan(&of.links, p, v, name, of.value, of.mask) {
			return false
		}
	}
	return true
}

// node is the value at hand at the end of a chain, and its mask.
func (k *Check) node(n *node) (string, match.Mask) {
	if k.stamps[n.id] == k.stamp {
		return k.values[n.id], k.masks[n.id]
	}
	value, m := k.node(n.parent)
	if n.step.Touches(0) || n.trigger&m != 0 {
		if w := n.step.Apply(&k.arena, value); len(w) != len(value) || unsafe.StringData(w) != unsafe.StringData(value) {
			value, m = w, match.MaskOf(w)
		}
	}
	k.values[n.id], k.masks[n.id], k.stamps[n.id] = value, m, k.stamp
	return value, m
}

// scan reads a value once and looks closer at the links it may meet.
func (k *Check) scan(links *set, p *plan, v collect.Variable, name, value string, m match.Mask) bool {
	program := k.program
	all := program.automaton.Candidates(value, k.found, k.candidates)
	cleared, asked := false, false
	for w := range k.candidates {
		candidates := k.candidates[w] & links[w] &^ k.done[w]
		if candidates == 0 {
			continue
		}
		if program.union != nil && candidates&program.unions[w] != 0 {
			if !asked {
				asked, cleared = true, !program.union.Match(value)
			}
			if cleared {
				candidates &^= program.unions[w]
			}
		}
		for ; candidates != 0; candidates &= candidates - 1 {
			l := program.links[w*64+bits.TrailingZeros64(candidates)]
			if !k.candidate(l, p, v, name, value, m, all) {
				return false
			}
		}
	}
	return true
}

// candidate decides whether a value meets a link; false ends the walk.
func (k *Check) candidate(l *link, p *plan, v collect.Variable, name, value string, m match.Mask, all bool) bool {
	for _, need := range l.need.Masks {
		if m&need == 0 {
			return true
		}
	}
	if p.picky.has(l.bit) && !l.covers(v, name, k.lowered(name)) {
		k.pure = false // under another name it may be judged otherwise
		return true
	}
	if l.lower {
		value = k.program.lowercase.Apply(&k.arena, value)
	}
	if !l.sure || all {
		argument, known := k.argument(l)
		if known && l.operator(value, argument) == l.negated {
			return true
		}
	}
	return k.meets(l, v, name, value)
}

// argument is what a link compares values with, as far as the head tells.
func (k *Check) argument(l *link) (text string, known bool) {
	if len(l.argument) == 0 {
		return "", true
	}
	if len(l.argument) == 1 && l.argument[0].variable == "" {
		return l.argument[0].text, true
	}
	return k.expand(l.argument, nil)
}

// meets notes that a value has met a link, and decides rules that need no more.
func (k *Check) meets(l *link, v collect.Variable, name, value string) bool {
	r := l.rule
	switch {
	case k.exempted(r, v):
		// Were it not, by what a rule with an effect does, it would be met.
		k.pure, k.upset = false, k.upset || r.upsets
		return k.keep(r)
	case len(r.links) == 1:
		k.unread[r.number] = l.unread(value)
		return k.finds(r, "a rule") && k.affords(l, value)
	case !k.verdict.Clean && !r.upsets:
		// Whether the rest of it is met does not matter any more.
		return k.keep(r) && k.affords(l, value)
	}
	if r.immediate {
		k.keptNow = append(k.keptNow, r)
		k.state.reset()
		if k.leave(&leaving{l, v, name, value}) || k.looksBack(r.contexts[0]) {
			return k.finds(r, "a chain")
		}
		return k.keep(r)
	}
	if l.node.step != nil || l.lower {
		k.pure = false // it was another value that met the link
	}
	k.metNow = append(k.metNow, l)
	n := r.number
	if k.met[n] == 0 {
		k.touched = append(k.touched, r)
	}
	k.met[n] |= 1 << l.number
	if len(r.contexts) > 0 {
		if len(k.left) == mostLeft {
			return k.finds(r, "many values that meet a part of a rule")
		}
		k.left = append(k.left, leaving{l, v, name, value})
	}
	return k.keep(r)
}

const mostLeft = 64

// exempted tells whether another rule keeps this one from the variable.
func (k *Check) exempted(r *rule, v collect.Variable) bool {
	for _, x := range r.exempt {
		if k.exempt>>x.number&1 == 1 && (x.variable == v || x.variable == collect.Variables) {
			return true
		}
	}
	return false
}

// decide ends a step: rules whose links are all met have an effect.
func (k *Check) decide() {
	for _, r := range k.program.totals {
		if r.waits && !k.body {
			continue
		}
		switch {
		case r.head != nil && !k.mayCount(r.head):
		case !k.exempted(r, collect.Variables) && k.effective(r):
			k.finds(r, "a number")
		default:
			k.upset = k.upset || r.upsets
			k.keep(r)
		}
	}
	for _, r := range k.touched {
		if !k.verdict.Clean && !r.upsets {
			continue // it is kept, whether the rest of it is met or not
		}
		if k.met[r.number] == r.wanted && (k.body || !r.waits) && k.effective(r) {
			k.finds(r, "a chain")
		}
	}
}

// effective decides the links that look at no value.
func (k *Check) effective(r *rule) bool {
	for _, l := range r.counts {
		if !k.mayCount(l) {
			return false
		}
	}
	if len(r.contexts) == 0 {
		return true
	}
	k.state.reset()
	for i := range k.left {
		if left := &k.left[i]; left.link.rule == r && k.leave(left) {
			return true
		}
	}
	for _, l := range r.contexts {
		if !k.looksBack(l) {
			return false
		}
	}
	return true
}

// mayCount tells whether a number of members may meet a link. The engine
// compares the number of each selection by itself, and transforms it like any
// other value.
func (k *Check) mayCount(l *link) bool {
	argument, known := k.argument(l)
	if !known {
		return true
	}
	for i := range l.selections {
		if n, known := k.count(&l.selections[i]); !known || k.metBy(l, strconv.Itoa(n), argument) {
			return true
		}
	}
	return false
}

// count is how many members are selected. A selection covers no less than it does
// for the engine: when it has none, the engine has none.
func (k *Check) count(s *selection) (n int, known bool) {
	if s.name != "REQUEST_HEADERS" {
		return 0, k.body && k.counted[s.number] == 0
	}
	for f := range k.head.Fields {
		if name := k.head.Fields[f].Name; s.mayBe(name) && s.covers(name, k.lowered(name)) {
			n++
		}
	}
	return n, true
}
