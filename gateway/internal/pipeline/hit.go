package pipeline

// Hit is a rule of the WAF that matched, as the security event tells it. It
// holds no value of the request: what was there is told by its shape.
type Hit struct {
	Rule int
	// Message is what the rule says that it finds, as it stands in the rule: what
	// the engine would put in for a macro may come from the request.
	Message string
	// Paranoia is the level from which the rule is asked, 0 for one that always is.
	Paranoia int
	Severity string
	// Place is where the rule stands: "@owasp_crs/x.conf:12".
	Place string
	// Denies says that it counts towards a denial; else it is only reported.
	Denies bool
	// At says where it matched, at most a few; More counts the places left out.
	At   []HitAt
	More int
}

// HitAt is one part of a request that a rule matched.
type HitAt struct {
	// Target is the part, as rules and exclusions name it: "ARGS:json.note". A
	// name that may be a secret, or is none, stands in brackets.
	Target string
	// Shape is what the value looks like, "9' aa 9=9--" or "[redacted]", and Bytes
	// its length, -1 where even that is not told.
	Shape string
	Bytes int
}

// Verdicts of a profile on a request in which its rules found something.
const (
	VerdictDenied   = "denied"   // it refused the request
	VerdictPassed   = "passed"   // the score stayed below the threshold
	VerdictShadow   = "shadow"   // in mode shadow, it would have refused
	VerdictRecorded = "recorded" // in mode shadow, it would not
)

// Verdict says what came of a request by a profile, which may be in mode shadow.
func (i *Inspection) Verdict(shadow bool) string {
	switch {
	case i.Stopped && shadow:
		return VerdictShadow
	case shadow:
		return VerdictRecorded
	case i.Stopped:
		return VerdictDenied
	default:
		return VerdictPassed
	}
}
