package recent

import "portcullis/gateway/internal/pipeline"

// Explain is the decision with its reasons, or with a note why they cannot be
// told any more.
func (rec Record) Explain() pipeline.Explained {
	tx, err := rec.Transaction()
	if err != nil {
		e := rec.Line()
		e.Note = err.Error()
		return e
	}
	return pipeline.NewExplained(tx, rec.Decision, rec.Status)
}

// Line is the decision without its reasons.
func (rec Record) Line() pipeline.Explained {
	e := pipeline.Explained{
		ID: rec.ID, Time: rec.Start, Method: rec.Method, Host: rec.Host, Path: rec.Path, Source: rec.Source, Route: rec.Route, Place: rec.Place,
		Status: rec.Status, Decision: rec.Decision.Kind.String(), Stage: rec.Decision.Stage, Rule: rec.Decision.Rule, Policy: rec.Policy,
		Tree: []pipeline.Reason{}, Shadows: rec.Shadows,
	}
	if p := rec.Principal; p != nil {
		e.Subject, e.Client = p.Subject, p.Client
	}
	if p := rec.Decision.Problem; p != nil {
		e.Code = string(p.Code)
		if p.Cause != nil {
			e.Cause = p.Cause.Error()
		}
	}
	return e
}
