package waf

import (
	"fmt"
	"strings"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/proof"
	"portcullis/gateway/internal/waf/transform"
	"portcullis/services/problem"
)

// Over says what becomes of a request that would cost too much to inspect.
type Over string

const (
	// OverReject refuses it.
	OverReject Over = "reject"
	// OverRecord lets it pass uninspected, and records that.
	OverRecord Over = "record"
)

// Bounds of Profile.Cost. Without a proof every request costs the whole price of
// the engine, and MaxCost is the bound for all.
const (
	MinCost     = time.Millisecond
	MaxCost     = time.Second
	defaultCost = 20 * time.Millisecond
)

// costRule stands in events where the rule stands that denied.
const costRule = "cost"

// tooDear estimates what asking the rules about a request would take, and tells
// whether that is more than the profile allows. The estimate is the same whether
// the proof decides or only looks on, so that it changes no verdict.
func (i *Inspector) tooDear(s *subject, v pipeline.Proof) (cost time.Duration, over bool) {
	most := i.profile.Cost
	switch {
	case v.Clean:
		return 0, false
	case s.dear:
		return most, true
	case s.cost > 0:
		cost = s.cost
	default:
		cost = i.profile.wholeCost(s)
		if i.unproving() {
			most = MaxCost
		}
	}
	return cost, cost > most
}

// unproving tells whether there is no proof at all at the moment.
func (i *Inspector) unproving() bool {
	p := &i.proving
	return p.program == nil || p.prover == nil || p.hopeless || p.off.Load()
}

// over refuses a request that would cost too much to inspect, or lets it pass
// and records that it would be refused.
func (u *Use) over(tx *pipeline.Transaction, s *subject, v pipeline.Proof, cost time.Duration) error {
	u.proving.meter.over()
	tx.WAF = pipeline.Inspection{Profile: u.profile.Name, Proof: v}
	if u.profile.Over == OverRecord {
		u.record(tx, u.profile.Name+":"+costRule, pipeline.Deny)
		return nil
	}
	tx.Rule = "waf:" + u.profile.Name + ":" + costRule
	code, detail := problem.BodyTooLarge, "The request would take too long to inspect. Send less text, or fewer members, at once."
	if len(s.body) == 0 {
		code = problem.HeadersTooLarge
	}
	return problem.New(code, detail).Because(fmt.Errorf("inspecting it is estimated to take %v or more of CPU time, and inspect.cost allows %v", cost, u.profile.Cost))
}

// What the engine takes to hold a request against all its rules, at paranoia 1
// on one core of the reference machine, as BenchmarkCost has measured it.
const (
	costOfRequest  = 1200 * time.Microsecond
	costOfField    = 20 * time.Microsecond
	costOfArgument = 300 * time.Microsecond // its name and its value; cookies too
	costOfByte     = 6500 * time.Nanosecond // of an argument
	costOfHeadByte = 600 * time.Nanosecond  // of a header field or the path
)

// costAtParanoia is how many times as much it is at each level, in percent.
var costAtParanoia = [maxParanoia + 1]time.Duration{1: 100, 2: 175, 3: 200, 4: 220}

// wholeCost estimates what all rules take.
func (p *Profile) wholeCost(s *subject) time.Duration {
	cost := costOfRequest
	for n := range s.Fields {
		f := &s.Fields[n]
		cost += costOfField + time.Duration(len(f.Name)+len(f.Value))*costOfHeadByte
		if strings.EqualFold(f.Name, "Cookie") {
			cost += time.Duration(pieces(f.Value, ';', MaxArgs))*costOfArgument + time.Duration(len(f.Value))*(costOfByte-costOfHeadByte)
		}
	}
	cost += p.tangled(s)
	path, query, _ := strings.Cut(s.Target, "?")
	args, read := pieces(query, '&', MaxArgs), len(query)+len(s.body)
	switch s.format {
	case formatForm:
		args += pieces(s.body, '&', MaxArgs)
	case formatJSON:
		size, _ := measure(s.body, MaxArgs, MaxDepth)
		args += size.args
	case formatMultipart, formatXML:
		held := p.held(s)
		args, read = args+held.values, len(query)+held.bytes
	}
	cost += time.Duration(len(path))*costOfHeadByte + time.Duration(read)*costOfByte + time.Duration(args)*costOfArgument
	return cost * costAtParanoia[p.DetectionParanoia] / 100
}

// tangled is what the quotes of the values take; see proof.Tangled. What the walker
// does not read to its end has been refused, or is counted as far as it goes.
func (p *Profile) tangled(s *subject) time.Duration {
	var all tangles
	w := collect.New(new(transform.Arena), collect.Bounds{Args: p.Args, Depth: p.Depth})
	_ = w.Head(&s.Head, &all)
	if s.format != formatNone {
		_ = s.walk(w, &all)
	}
	return time.Duration(all)
}

// tangles adds up what the quotes of values take.
type tangles time.Duration

// Value implements collect.Sink. The rules of the Core Rule Set ask @detectSQLi
// about no other variables.
func (t *tangles) Value(v collect.Variable, _, value string) bool {
	switch v {
	case collect.ArgsGet, collect.ArgsPost, collect.ArgsGetNames, collect.ArgsPostNames, collect.Cookies, collect.CookiesNames, collect.Headers, collect.Filename, collect.Basename, collect.XML:
		*t += tangles(proof.Tangled(value))
	}
	return true
}

// held is what rules read of a form's parts or of a document; they do not look
// into files. A body that is not clear has been refused before.
func (p *Profile) held(s *subject) (h holding) {
	w := collect.New(new(transform.Arena), collect.Bounds{Args: p.Args, Depth: p.Depth})
	_ = s.walk(w, &h)
	return h
}

// holding counts values and their bytes.
type holding struct{ values, bytes int }

// Value implements collect.Sink.
func (h *holding) Value(_ collect.Variable, name, value string) bool {
	h.values++
	h.bytes += len(name) + len(value)
	return true
}
