package upstream

import (
	"net/http"

	"github.com/sony/gobreaker/v2"

	"portcullis/gateway/internal/pipeline"
)

// forwarder sends a route's requests to one upstream.
type forwarder struct {
	*Upstream
	rewrite RouteOptions
}

// Forward sends the request on and copies the answer back; see
// pipeline.Forwarder. The upstream's fields are added to w's header, and
// tx.Header's replace them; the X-Request-Id already there stays.
func (f *forwarder) Forward(w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	websocket, err := upgrade(tx)
	if err != nil {
		return pipeline.Result{}, err
	}
	x := f.idle.Get().(*exchange)
	x.upstream, x.w, x.tx, x.websocket, x.rewrite = f.Upstream, w, tx, websocket, &f.rewrite
	x.begin()
	defer x.end()
	res, err := x.ask()
	if err != nil {
		x.closeUnread()
		return x.result, err
	}
	if err := x.answer(res); err != nil {
		x.closeUnread()
		return x.result, err
	}
	return x.result, nil
}

// ask attaches the credential and tries endpoints until one has answered.
func (x *exchange) ask() (*http.Response, error) {
	authorization, err := x.authorization()
	if err != nil {
		if gone := x.clientGone(); gone != nil {
			return nil, gone
		}
		return nil, err
	}
	x.compose(authorization)
	return x.tries()
}

// tries goes through the endpoints. Where nothing was sent, any request may be
// tried elsewhere. Where an endpoint may have seen it, only one that asks for
// nothing to be done, and once: a POST is never sent twice.
func (x *exchange) tries() (*http.Response, error) {
	var tried, reset uint64
	var last *failure
	for {
		e, bit, done := x.upstream.pick(tried)
		if e == nil && reset != 0 {
			e, bit, done = x.upstream.pick(tried &^ reset)
			reset = 0
		}
		if e == nil {
			if last != nil {
				return nil, last.problem
			}
			return nil, x.upstream.allOpen()
		}
		tried |= bit
		res, fail := x.try(e, done)
		switch {
		case fail == nil:
			return res, nil
		case fail.unsent:
		case fail.reset && x.repeatable() && !x.repeated:
			x.repeated, reset = true, bit
		default:
			return nil, fail.problem
		}
		last = fail
	}
}

// try sends the request to one endpoint and tells its breaker how it went,
// exactly once whatever happens: a half-open breaker admits nobody until its
// probe is reported.
func (x *exchange) try(e *endpoint, done func(error)) (_ *http.Response, fail *failure) {
	judgement := errExcluded
	if x.upload != nil && e.breaker.State() == gobreaker.StateHalfOpen {
		done = x.upload.probe(done)
	}
	defer func() {
		if judgement != nil && x.upload != nil && x.upload.slow(x.attemptBound()) {
			judgement = errExcluded
		}
		done(judgement)
		e.meter.attempt(judgement)
	}()
	x.result.Attempts++
	x.result.Endpoint = e.url.Host
	ctx, answered := x.attempt()
	res, err := x.upstream.transport.RoundTrip(x.request(ctx, e))
	answered()
	if err != nil {
		fail = x.explain(ctx, err)
		judgement = fail.verdict
		return nil, fail
	}
	if x.upload == nil || x.upload.failure() == nil {
		judgement = verdict(res.StatusCode)
	}
	return res, nil
}

// repeatable reports whether sending the request twice does no more than
// sending it once, and there is no body to send again.
func (x *exchange) repeatable() bool { return safe(x.tx.Request.Method) && x.length == 0 }

// safe reports whether a method asks for nothing to be done (RFC 9110 section
// 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
