package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/pipeline"
)

// fieldsAdded is how many fields may be added, by the slots below and this one.
const (
	fieldsAdded       = 7
	slotAuthorization = 6
)

// compose makes the header and the body that every attempt sends.
func (x *exchange) compose(authorization []string) {
	in := x.tx.Request.Header
	h := x.header
	connection := named(in)
	for name, values := range in {
		if !pipeline.HopByHop(name) && !fromOutside(name) && !slices.Contains(connection, name) {
			h[name] = values
		}
	}
	// The transport would repeat a POST that has one of these; spelled in lower
	// case it does not see them, and on the wire they mean the same.
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values := in[name]; values != nil && !slices.Contains(connection, name) && !x.rewrite.Fields.Names(name) {
			h[strings.ToLower(name)] = values
		}
	}
	x.rewrite.Fields.Remove(h)
	x.rewrite.Fields.Set(h)
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // or the transport would name itself
	}
	if in["Te"] != nil && httpguts.HeaderValuesContainsToken(in["Te"], "trailers") {
		x.set(0, "Te", "trailers")
	}
	if authorization != nil {
		h["Authorization"] = authorization
	}
	if x.websocket {
		x.set(0, "Connection", "Upgrade") // "Te: trailers" means nothing to an upgrade
		delete(h, "Te")
		h["Upgrade"] = []string{"websocket"}
	}
	x.forwarded()
	x.trace(in)
	x.body()
	if x.path = x.rewrite.path(x.tx); x.path != x.tx.Path {
		x.result.Path = x.path
	}
}

// set puts one value into slot i of the exchange's own memory, so that a field
// costs no allocation.
func (x *exchange) set(slot int, name, value string) {
	x.values[slot] = value
	x.header[name] = x.values[slot : slot+1 : slot+1]
}

// forwarded says where the request came from, as we know it.
func (x *exchange) forwarded() {
	r := x.tx.Request
	if x.from == "" || x.source != x.tx.Source {
		x.source, x.from = x.tx.Source, x.tx.Source.String()
	}
	x.set(1, "X-Forwarded-For", x.from)
	if host := r.Host; host != "" {
		x.set(2, "X-Forwarded-Host", host)
	}
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	x.set(3, "X-Forwarded-Proto", proto)
	x.set(4, "X-Request-Id", x.tx.ID)
}

// trace passes a trace context on, or begins one (W3C Trace Context).
func (x *exchange) trace(in http.Header) {
	if pipeline.TraceID(in) != "" {
		x.header["Traceparent"] = in["Traceparent"]
		if state := in["Tracestate"]; state != nil {
			x.header["Tracestate"] = state
		}
		return
	}
	if parent := newTraceparent(x.tx.ID); parent != "" {
		x.set(5, "Traceparent", parent)
	}
}

// body settles what is sent after the header.
func (x *exchange) body() {
	r := x.tx.Request
	switch {
	case x.tx.Buffered:
		x.length = int64(len(x.tx.Body))
	case r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody:
		x.length = 0
	default:
		x.length = r.ContentLength
		upload := newUpload(x.w, r, x.rewrite.Fields)
		x.mu.Lock()
		x.upload = upload // the timers look at it
		x.mu.Unlock()
		x.trailer = x.upload.trailer
		if x.upload.agreed != nil {
			x.header["Expect"] = r.Header["Expect"]
		}
	}
}

// request is the request of one attempt. It shares the header with other
// attempts, which nobody changes any more.
func (x *exchange) request(ctx context.Context, e *endpoint) *http.Request {
	out := x.out
	if x.result.Attempts > 1 || ctx != x.life {
		// The attempt before may still be looking at its own.
		out = (&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	}
	out.Method, out.URL, out.Host = x.tx.Request.Method, x.target(e), e.url.Host
	out.Header, out.Trailer, out.ContentLength = x.header, x.trailer, x.length
	switch {
	case x.upload != nil && x.upstream.config.Protocol.multiplexed():
		out.Body = &sending{exchange: x, ctx: ctx}
	case x.upload != nil:
		out.Body = x.upload
	case x.length > 0:
		body := x.tx.Body
		// With GetBody the transport sends again what a dead kept connection
		// never took; that is safe for every method.
		if !x.once() {
			out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		}
		out.Body = io.NopCloser(bytes.NewReader(body))
	case x.once():
		out.Body = nothingToSend{}
	case out.Body != nil:
		out.Body = nil // of the exchange before, a POST perhaps: a GET would be sent with a body
	}
	return out
}

// target is the path at the endpoint, in exactly this spelling, with the query
// that was read.
func (x *exchange) target(e *endpoint) *url.URL {
	u := &x.url
	if x.result.Attempts > 1 {
		u = new(url.URL) // the attempt before may still be looking at its own
	}
	*u = url.URL{Scheme: e.url.Scheme, Host: e.url.Host, Path: x.path, RawPath: x.path, RawQuery: x.tx.Query.Raw(), ForceQuery: x.tx.Request.URL.ForceQuery}
	if strings.IndexByte(x.path, '%') >= 0 {
		// RawPath counts only while it decodes to Path.
		if decoded, err := url.PathUnescape(x.path); err == nil {
			u.Path = decoded
		}
	}
	return u
}
