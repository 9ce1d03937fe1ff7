package edge

import (
	"net/http"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// announced is the method that a preflight asks about (Fetch standard, section
// 4.8); false for any other request. Browsers send each of its fields once.
func announced(r *http.Request) (method string, ok bool) {
	if r.Method != http.MethodOptions {
		return "", false
	}
	asked := r.Header["Access-Control-Request-Method"]
	if len(asked) != 1 || len(r.Header["Origin"]) != 1 {
		return "", false
	}
	return asked[0], true
}

// preflighted gives a preflight the route of the request it announces. It stays
// what it is, a request for a method, where that route leaves CORS to its
// upstream, or where the policy has an OPTIONS route that does.
func preflighted(tx *pipeline.Transaction) {
	method, ok := announced(tx.Request)
	if !ok || tx.Route != nil && tx.Route.CORS == nil {
		return
	}
	if route, params := tx.Snapshot.Match(tx.Host, method, tx.Path, nil); route != nil && route.CORS != nil {
		tx.Route, tx.Params, tx.Preflight = route, params, true
	}
}

// preflight answers a browser's question; the upstream never hears of it.
func (h *Handler) preflight(w http.ResponseWriter, x *exchange) {
	tx := &x.tx
	x.out.decision = pipeline.DecidePreflight(tx)
	if x.out.decision.Kind != pipeline.Allow {
		h.refuse(w, x)
		return
	}
	granted := make(http.Header, 6)
	if err := tx.Route.CORS.Preflight(tx.Request.Header, granted); err != nil {
		x.out.decision = pipeline.Decision{
			Kind: pipeline.Deny, Stage: pipeline.StageCORS, Rule: tx.Route.CORS.Rule(),
			Problem: problem.New(problem.Forbidden, "Pages of this origin may not send this request.").Because(err),
		}
		h.refuse(w, x)
		return
	}
	tx.Complete(w.Header())
	for name, values := range granted {
		w.Header()[name] = values
	}
	h.bare(w, x, http.StatusNoContent)
}

// redirect sends an allowed caller where the route says.
func (h *Handler) redirect(w http.ResponseWriter, x *exchange) {
	tx := &x.tx
	to, err := tx.Route.Redirect.Location(tx.Params, tx.Query.Raw())
	if err != nil {
		x.out.decision = pipeline.Decision{Kind: pipeline.Deny, Problem: problem.New(problem.AmbiguousPath, "").Because(err)}
		h.refuse(w, x)
		return
	}
	tx.Complete(w.Header())
	w.Header()["Location"] = []string{to}
	h.bare(w, x, tx.Route.Redirect.Status)
}

// bare answers with a status and the fields that stand there.
func (h *Handler) bare(w http.ResponseWriter, x *exchange, status int) {
	giveBack(x.tx.Request)
	if status != http.StatusNoContent {
		w.Header()["Content-Length"] = []string{"0"}
	}
	x.out.status = status
	w.WriteHeader(status)
}
