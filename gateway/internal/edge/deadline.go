package edge

import (
	"errors"
	"net/http"
	"time"

	"portcullis/gateway/internal/pipeline"
)

const (
	// longExchange is the route timeout from which the server's own bounds on
	// reading and writing would cut an exchange short.
	longExchange = 20 * time.Second
	// lateBody is how much longer than its route's timeout a body may take:
	// slow lines are no attack.
	lateBody = 5 * time.Second
)

// deadlines bounds the reading of a body by its route's timeout: until it is
// whole it holds a place of the route, and one client that sends a byte a
// second could take them all. Slow routes outlive the server's bounds.
func (h *Handler) deadlines(w http.ResponseWriter, tx *pipeline.Transaction) {
	long := tx.Route.Timeout >= longExchange
	if !long && tx.Request.ContentLength == 0 {
		return
	}
	until := tx.Start.Add(tx.Route.Timeout + lateBody)
	rc := http.NewResponseController(w)
	err := rc.SetReadDeadline(until)
	if long {
		// Later than the reading: a refusal may have to wait for a body that does not
		// come, and must still be written then.
		err = errors.Join(err, rc.SetWriteDeadline(until.Add(lateBody)))
	}
	if err != nil {
		h.log.Warn("cannot move the deadlines of a request", "route", tx.Route.Name, "error", err)
	}
}
