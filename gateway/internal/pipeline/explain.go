package pipeline

// State is what became of one reason. The zero value tells nothing either way.
type State uint8

// The states of a reason.
const (
	Neutral State = iota // a fact, not a condition
	Holds                // the condition holds, the stage let pass
	Fails                // the condition does not hold, the stage refused
	Broken               // it could not be evaluated, which never allows
	Unasked              // the request did not get as far
)

func (s State) String() string {
	switch s {
	case Holds:
		return "holds"
	case Fails:
		return "fails"
	case Broken:
		return "broken"
	case Unasked:
		return "unasked"
	default:
		return "neutral"
	}
}

// MarshalText is String, for JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reason is one node of the tree that explains a decision: a stage, a rule of
// it, a condition of a rule.
type Reason struct {
	// Text says what was asked: "scopes has reservations:write".
	Text  string `json:"text"`
	State State  `json:"state"`
	// Value is what there was instead: "reservations:read". Never a secret.
	Value string `json:"value,omitempty"`
	// Place is where the policy says so: "routes/search.yaml:12".
	Place string `json:"place,omitempty"`
	// Shadow says that this decided nothing.
	Shadow bool `json:"shadow,omitempty"`
	// Mend is what would have let the request pass; empty where nothing would.
	Mend  string   `json:"mend,omitempty"`
	Under []Reason `json:"under,omitempty"`
}

// Explainer is a stage that can say why it decides as it does.
type Explainer interface {
	// Explain tells what Decide found, or would find, by the same conditions. It
	// reads no body, counts nothing and changes nothing. d is the decision on the
	// request as a whole.
	Explain(tx *Transaction, d Decision) []Reason
}

// Explain is the tree of a decision: a reason for each stage of the route, in
// order.
func Explain(tx *Transaction, d Decision) []Reason {
	if tx.Route == nil {
		return explainStages(tx, d, tx.unrouted())
	}
	if tx.Preflight {
		return explainPreflight(tx, d)
	}
	return explainStages(tx, d, tx.Route.Stages)
}

// explainPreflight tells of the few stages that are asked ahead of a page's
// request, and of what decides then.
func explainPreflight(tx *Transaction, d Decision) []Reason {
	cors := Reason{Text: StageCORS, State: Holds, Value: "origin " + tx.Request.Header.Get("Origin"), Place: tx.Route.CORS.place}
	switch {
	case d.Stage == StageCORS:
		cors.State, cors.Value = Fails, why(tx, d)
	case d.Kind != Allow:
		cors.State, cors.Value = Unasked, ""
	}
	return append(explainStages(tx, d, ahead(tx.Route)), cors)
}

func explainStages(tx *Transaction, d Decision, stages []Stage) []Reason {
	reasons := make([]Reason, 0, len(stages))
	state := Holds
	for _, stage := range stages {
		r := Reason{Text: stage.Name(), State: state}
		if state != Unasked && d.Stage == stage.Name() {
			r.State, state = Fails, Unasked
		}
		if e, ok := stage.(Explainer); ok && r.State != Unasked {
			r.Under = e.Explain(tx, d)
		}
		if r.State == Fails && d.Problem != nil {
			if r.Value = d.Problem.Error(); len(r.Under) > 0 {
				r.Value = string(d.Problem.Code) // what is under it says the rest
			}
		}
		reasons = append(reasons, r)
	}
	return reasons
}
