package waf

import (
	"fmt"
	"strings"
	"time"
)

// Bounds and defaults of a profile. The engine's cost grows with every value it
// is shown and with every byte of it: at these bounds the dearest request would
// take half a second of CPU (one text of 64 KiB), were it asked about all rules.
// The proof, which comes first, takes up to a third of a microsecond for a byte;
// what the rules that it leaves would take is bounded by Profile.Cost.
const (
	// MaxBody is the most a body may have, in bytes, to be inspected.
	MaxBody = 64 << 10
	// MaxArgs is the most arguments a request may have: query parameters and
	// body members together.
	MaxArgs = 1000
	// MaxDepth is the deepest nesting of JSON that a profile may permit.
	MaxDepth = 64

	// leastBody and leastArgs leave room for the probe. Who wants to accept less
	// bounds the route.
	leastBody = 256
	leastArgs = 2

	defaultArgs     = 255
	defaultDepth    = 20
	defaultInbound  = 5 // one critical rule
	defaultOutbound = 4 // one error-level leak
	maxParanoia     = 4
)

// Profile says how strictly requests are inspected. A zero member takes its
// default.
type Profile struct {
	Name string
	// BlockingParanoia is the level up to which rules deny, 1 (default) to 4.
	// DetectionParanoia is the level up to which they are evaluated and
	// reported; default and least BlockingParanoia.
	BlockingParanoia, DetectionParanoia int
	// Inbound is the anomaly score from which a request is denied, default 5;
	// Outbound the same for responses, default 4.
	Inbound, Outbound int
	// Args bounds the arguments of a request, 2 to MaxArgs; default 255.
	Args int
	// Depth bounds the nesting of JSON, default 20, most MaxDepth.
	Depth int
	// Body bounds the request body in bytes, 256 to MaxBody, which is the
	// default.
	Body int64
	// Responses says which answers are inspected; default none.
	Responses Responses
	// Cost bounds what the rules may take for one request, estimated as CPU time
	// on the reference machine before they are asked: MinCost to MaxCost, default
	// 20 ms. What is over is refused, or by Over let pass without being inspected.
	Cost time.Duration
	Over Over
	// Formats are the kinds of bodies that are let in, default JSON and Form.
	Formats Formats
	// Proof says whether requests that are proved clean are spared the engine;
	// default ProofOn. It changes no verdict.
	Proof Proof
}

// complete returns the profile with its defaults, or why it cannot be used.
func (p Profile) complete() (Profile, error) {
	if p.Name == "" {
		return p, fmt.Errorf("a WAF profile has no name; events and metrics tell profiles apart by it")
	}
	p.BlockingParanoia = orDefault(p.BlockingParanoia, 1)
	p.DetectionParanoia = orDefault(p.DetectionParanoia, p.BlockingParanoia)
	p.Inbound = orDefault(p.Inbound, defaultInbound)
	p.Outbound = orDefault(p.Outbound, defaultOutbound)
	p.Args = orDefault(p.Args, defaultArgs)
	p.Depth = orDefault(p.Depth, defaultDepth)
	p.Body = orDefault(p.Body, MaxBody)
	p.Formats = orDefault(p.Formats, JSON|Form)
	p.Proof = orDefault(p.Proof, ProofOn)
	p.Cost = orDefault(p.Cost, defaultCost)
	p.Over = orDefault(p.Over, OverReject)

	for _, bound := range []struct {
		what             string
		got, least, most int64
	}{
		{"paranoia.blocking", int64(p.BlockingParanoia), 1, maxParanoia},
		{"paranoia.detection", int64(p.DetectionParanoia), int64(p.BlockingParanoia), maxParanoia},
		{"threshold.inbound", int64(p.Inbound), 1, 10_000},
		{"threshold.outbound", int64(p.Outbound), 1, 10_000},
		{"inspect.args", int64(p.Args), leastArgs, MaxArgs},
		{"inspect.depth", int64(p.Depth), 1, MaxDepth},
		{"inspect.body", p.Body, leastBody, MaxBody},
		{"inspect.cost in microseconds", p.Cost.Microseconds(), MinCost.Microseconds(), MaxCost.Microseconds()},
	} {
		if bound.got < bound.least || bound.got > bound.most {
			return p, fmt.Errorf("the WAF profile %q has %s %d; it must be between %d and %d",
				p.Name, bound.what, bound.got, bound.least, bound.most)
		}
	}
	responses, err := p.Responses.complete()
	if err != nil {
		return p, fmt.Errorf("the WAF profile %q: %w", p.Name, err)
	}
	p.Responses = responses
	if p.Over != OverReject && p.Over != OverRecord {
		return p, fmt.Errorf("the WAF profile %q has inspect.over %q; it must be reject or record", p.Name, p.Over)
	}
	if p.Formats&^allFormats != 0 {
		return p, fmt.Errorf("the WAF profile %q has inspect.formats %d; they are made of JSON, Form, Multipart and XML", p.Name, p.Formats)
	}
	if p.Proof != ProofOn && p.Proof != ProofShadow && p.Proof != ProofOff {
		return p, fmt.Errorf("the WAF profile %q has proof %q; it must be on, shadow or off", p.Name, p.Proof)
	}
	return p, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var none T
	if v == none {
		return otherwise
	}
	return v
}

// directives is the profile in the engine's own language; rules is the rule set
// in it.
func (p Profile) directives(rules string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line(apartRules)
	// The recommended configuration chooses the JSON processor by Content-Type
	// (200001, 200006) and refuses bodies that do not parse (200002). Without
	// it JSON is not looked into at all.
	line("Include @coraza.conf-recommended")
	line("SecRuleEngine On")
	line("SecRequestBodyAccess On")
	b.WriteString(p.Responses.directives())
	line("SecAuditEngine Off")
	line("SecDebugLogLevel 0")
	// The engine refuses a body as long as its limit, we only a longer one. In
	// memory as a whole: bodies must never reach a disk.
	line("SecRequestBodyLimit %d", p.Body+1)
	line("SecRequestBodyInMemoryLimit %d", p.Body+1)
	line("SecRequestBodyLimitAction Reject")
	line("SecRequestBodyJsonDepthLimit %d", p.Depth)
	// Over its own limit the engine drops arguments without a word. We have
	// counted before; should we and the engine ever count differently, the
	// request is refused.
	line("SecArgumentsLimit %d", p.Args)
	line(`SecRule ARGUMENTS_LIMIT_REACHED "@eq 1" "id:%d,phase:2,t:none,nolog,deny,status:400"`, ruleTooManyArgs)

	line("Include @crs-setup.conf.example")
	line(`SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=%d,setvar:tx.detection_paranoia_level=%d"`,
		p.BlockingParanoia, p.DetectionParanoia)
	line(`SecAction "id:900110,phase:1,pass,t:none,nolog,setvar:tx.inbound_anomaly_score_threshold=%d,setvar:tx.outbound_anomaly_score_threshold=%d"`,
		p.Inbound, p.Outbound)
	// Which methods exist is the routes' business; the rules' own list would
	// refuse every API that deletes.
	line(`SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS'"`)
	line(`SecAction "id:900220,phase:1,pass,t:none,nolog,setvar:'tx.allowed_request_content_type=%s'"`, p.Formats.media())
	return b.String() + rules
}
