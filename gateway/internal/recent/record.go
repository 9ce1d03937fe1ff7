package recent

import (
	"net/http"
	"net/netip"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Record is one request as it is remembered.
type Record struct {
	ID    string
	Start time.Time
	// Method, Host and Path are as the stages saw them. Host and Path are as they
	// were sent where the request was refused for them; Named and Canonical tell
	// that it was not.
	Method, Host, Path string
	Named, Canonical   bool
	// Preflight says that a browser asked whether a page may send the request.
	Preflight bool
	// Query and Header hold what conditions of the route read, and the media
	// type of the body.
	Query  string
	Header http.Header
	// Size is the length of the body in bytes, -1 if it was not announced.
	Size      int64
	Params    pipeline.Params
	Source    netip.Addr
	Principal *token.Principal
	Decision  pipeline.Decision
	Status    int
	// Limits, WAF and Validation are what the stages found, the others what those
	// in mode shadow did.
	Limits, ShadowLimits []pipeline.LimitState
	WAF                  pipeline.Inspection
	ShadowWAF            []pipeline.Inspection
	Validation           pipeline.Validation
	Shadows              []pipeline.Shadow
	// Route and Place name the route; empty when none took the request.
	Route, Place string
	// Policy is the version the request was decided by.
	Policy string
	// Snapshot is that policy, nil once it has been replaced too often.
	Snapshot *pipeline.Snapshot
	// Cut says that something was longer than what is kept of it.
	Cut bool
}

// write appends what is remembered of a request. What tells the decision comes
// first: if a bound is met, the rest is what suffers.
func write(b []byte, tx *pipeline.Transaction, d pipeline.Decision, status int) []byte {
	w := writer{text: append(b, whole)}
	w.number(int64(d.Kind))
	w.short(d.Stage)
	w.short(d.Rule)
	w.number(int64(status))
	route := tx.Route
	if route == nil {
		w.short("")
		w.short("")
	} else {
		w.short(route.Name)
		w.short(route.Place)
	}
	if tx.Snapshot == nil {
		w.short("")
	} else {
		w.short(tx.Snapshot.Version)
	}
	w.number(tx.Start.UnixNano())
	w.source(tx.Source)
	w.problem(d.Problem)
	r := tx.Request
	w.short(r.Method)
	w.flag(tx.Host != "")
	if tx.Host != "" {
		w.short(tx.Host)
	} else {
		w.short(r.Host)
	}
	w.limits(tx.Limits)
	w.limits(tx.ShadowLimits)
	w.shadows(tx.Shadows)
	w.inspection(&tx.WAF)
	w.inspections(tx.ShadowWAF)
	w.flag(tx.Validation.Ran)
	w.short(tx.Validation.Wrong)
	w.flag(tx.Path != "")
	if tx.Path != "" {
		w.long(tx.Path)
	} else {
		w.long(r.URL.Path)
	}
	w.flag(tx.Preflight)
	w.number(r.ContentLength)
	w.params(tx.Params)
	w.read(tx)
	return w.text
}

// read is the other direction of write, line by line.
func read(text []byte) Record {
	r := reader{text: text[1:]}
	var rec Record
	rec.Cut = text[0] != whole
	rec.Decision.Kind = pipeline.Kind(r.number())
	rec.Decision.Stage = r.string()
	rec.Decision.Rule = r.string()
	rec.Status = int(r.number())
	rec.Route = r.string()
	rec.Place = r.string()
	rec.Policy = r.string()
	rec.Start = time.Unix(0, r.number()).UTC()
	rec.Source = r.source()
	rec.Decision.Problem = r.problem()
	rec.Method = r.string()
	rec.Named = r.flag()
	rec.Host = r.string()
	rec.Limits = r.limits()
	rec.ShadowLimits = r.limits()
	rec.Shadows = r.shadows()
	rec.WAF = r.inspection()
	rec.ShadowWAF = r.inspections()
	rec.Validation.Ran = r.flag()
	rec.Validation.Wrong = r.string()
	rec.Canonical = r.flag()
	rec.Path = r.string()
	rec.Preflight = r.flag()
	rec.Size = r.number()
	rec.Params = r.params()
	rec.Query, rec.Header = r.read()
	return rec
}

// problem keeps what an event tells of a refusal, and its public sentence.
func (w *writer) problem(p *problem.Problem) {
	if p == nil {
		w.short("")
		return
	}
	w.short(string(p.Code))
	w.short(p.Detail)
	if p.Cause == nil {
		w.long("")
		return
	}
	w.long(p.Cause.Error())
}

func (r *reader) problem() *problem.Problem {
	code := r.string()
	if code == "" {
		return nil
	}
	p := problem.New(problem.Code(code), r.string())
	if cause := r.string(); cause != "" {
		p.Cause = told(cause)
	}
	return p
}

// told is the text that is left of an error.
type told string

func (t told) Error() string { return string(t) }

func (w *writer) limits(all []pipeline.LimitState) {
	all = all[:w.most(len(all))]
	w.number(int64(len(all)))
	for i := range all {
		l := &all[i]
		w.short(l.Name)
		w.number(int64(l.Quota))
		w.number(int64(l.Window))
		w.number(int64(l.Remaining))
		w.number(int64(l.Reset))
		w.number(int64(l.RetryAfter))
	}
}

func (r *reader) limits() (all []pipeline.LimitState) {
	for range r.number() {
		all = append(all, pipeline.LimitState{
			Name: r.string(), Quota: int(r.number()), Window: time.Duration(r.number()), Remaining: int(r.number()),
			Reset: time.Duration(r.number()), RetryAfter: time.Duration(r.number()),
		})
	}
	return all
}

func (w *writer) shadows(all []pipeline.Shadow) {
	all = all[:w.most(len(all))]
	w.number(int64(len(all)))
	for i := range all {
		s := &all[i]
		w.short(s.Stage)
		w.short(s.Rule)
		w.short(s.Place)
		w.number(int64(s.Would))
	}
}

func (r *reader) shadows() (all []pipeline.Shadow) {
	for range r.number() {
		all = append(all, pipeline.Shadow{Stage: r.string(), Rule: r.string(), Place: r.string(), Would: pipeline.Kind(r.number())})
	}
	return all
}

func (w *writer) params(all pipeline.Params) {
	all = all[:w.most(len(all))]
	w.number(int64(len(all)))
	for i := range all {
		w.short(all[i].Name)
		w.long(all[i].Value)
	}
}

func (r *reader) params() (all pipeline.Params) {
	for range r.number() {
		all = append(all, pipeline.Param{Name: r.string(), Value: r.string()})
	}
	return all
}
