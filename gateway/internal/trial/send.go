package trial

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Outcome is what came of one request.
type Outcome struct {
	Decision pipeline.Decision
	Status   int
	// Header is the answer's.
	Header http.Header
	Route  string
	// WAFRules are the rules of the enforced profile that matched.
	WAFRules []int
	Shadows  []pipeline.Shadow
	// Forwarded is what the upstream was sent; nil when nothing was.
	Forwarded *Forwarded
	// Explained is set where it was asked for, and for what was refused.
	Explained *pipeline.Explained
}

// Explain sends a described request once and tells what became of it, and why.
// Counters are as if nobody had asked before.
func (t *Trial) Explain(ctx context.Context, d *Described) (Outcome, error) {
	t.begin(d.Test)
	d.typed(t.doc.Issuers)
	var bearer string
	var err error
	if d.Token != nil {
		bearer, err = t.resign(d.Token)
	} else {
		bearer, err = t.bearer(d.Test, 1)
	}
	if err != nil {
		return Outcome{}, err
	}
	return t.send(ctx, d.Test, bearer, true)
}

// begin forgets the tests before.
func (t *Trial) begin(test *policy.Test) {
	t.limits.Forget()
	t.clock.set(test.At.Or(noon()))
	t.backend.answer = test.Answer
}

// bearer is the token that a test's nth request carries now; empty for none.
func (t *Trial) bearer(test *policy.Test, n int) (string, error) {
	if test.As == nil {
		return "", nil
	}
	method, target, _ := strings.Cut(test.Send.V, " ")
	path, _, _ := strings.Cut(target, "?")
	host := strings.ToLower(t.host(test))
	if name, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = name
	}
	var route *policy.Route // that will take it, so far as can be told before the edge has looked
	if taken, _ := t.Snapshot().Match(strings.Trim(host, "[]"), method, path, nil); taken != nil {
		route = t.route(taken.Name)
	}
	bearer, err := t.sign(test.As, route, t.clock.now(), n)
	if err != nil {
		return "", fmt.Errorf("as: %w", err)
	}
	return bearer, nil
}

// send sends a test's request once.
func (t *Trial) send(ctx context.Context, test *policy.Test, bearer string, explain bool) (Outcome, error) {
	r, err := t.request(ctx, test, bearer)
	if err != nil {
		return Outcome{}, err
	}
	return t.ask(r, explain)
}

// route is the route of a name in the document.
func (t *Trial) route(name string) *policy.Route {
	for _, r := range t.doc.Routes {
		if r.Name.V == name {
			return r
		}
	}
	return nil
}

// patience bounds one request, which waits for nobody.
const patience = 10 * time.Second

// ask has the gateway serve one request.
func (t *Trial) ask(r *http.Request, explain bool) (outcome Outcome, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	w := &answer{header: http.Header{}}
	t.explain, t.seen, t.backend.sent = explain, nil, nil
	defer func() {
		// The edge breaks the connection where half an answer would look whole.
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // the value itself is thrown
			panic(cause)
		}
		if t.seen == nil {
			err = fmt.Errorf("the gateway did not say what became of %s %s", r.Method, r.RequestURI)
			return
		}
		outcome = *t.seen
		outcome.Header, outcome.Forwarded = w.header, t.backend.sent
	}()
	t.handler.ServeHTTP(w, r.WithContext(ctx))
	return outcome, nil
}

// observe is told of a request that has ended; tx serves another afterwards.
func (t *Trial) observe(tx *pipeline.Transaction, d pipeline.Decision, status int) {
	seen := &Outcome{Decision: d, Status: status}
	if tx.Route != nil {
		seen.Route = tx.Route.Name
	}
	seen.WAFRules = append(seen.WAFRules, tx.WAF.Rules...)
	seen.Shadows = append(seen.Shadows, tx.Shadows...)
	if t.explain || d.Kind != pipeline.Allow {
		e := pipeline.NewExplained(tx, d, status)
		seen.Explained = &e
		t.coverage.note(tx, d, e)
	}
	t.seen = seen
}
