package pipeline

// Shadow is what a rule, limit, profile or validation in mode shadow would have
// done to a request. It changes no byte of the answer.
type Shadow struct {
	Stage string `json:"stage"`
	// Rule names it within its stage, as tests and metrics do.
	Rule string `json:"rule"`
	// Place is where the policy says so: "routes/search.yaml:12".
	Place string `json:"place,omitempty"`
	// Would is deny or allow.
	Would Kind `json:"would"`
	// Count counts it; may be nil.
	Count Counter `json:"-"`
}

// Counter counts; a prometheus.Counter is one.
type Counter interface{ Inc() }

// WouldHave records what a rule in mode shadow would have done, and counts it.
func (tx *Transaction) WouldHave(s Shadow) {
	if s.Count != nil {
		s.Count.Inc()
	}
	tx.Shadows = append(tx.Shadows, s)
}
