package pipeline

// AnswerInspection is what the WAF found in an answer by one profile.
type AnswerInspection struct {
	// Ran says that it was looked at, Partly that only its beginning was.
	Ran, Partly bool
	// Score is the anomaly score that the answer was given.
	Score int
	// Rules are the ids that matched with an effect, at most a few.
	Rules []int
	// Matches say where the first of them matched, at most a few. They hold no
	// part of the answer.
	Matches []Match
	// Proof is what the proof in front of the rules said.
	Proof Proof
	// Stopped, Hits and Threshold are for the security event, as those of an
	// Inspection.
	Stopped   bool
	Hits      []Hit
	Threshold int
}

// InAnswer is what was found in the answer, as an inspection of its own.
func (i *Inspection) InAnswer() Inspection {
	a := &i.Answer
	return Inspection{Profile: i.Profile, Ran: a.Ran, Score: a.Score, Stopped: a.Stopped, Hits: a.Hits, Threshold: a.Threshold}
}
