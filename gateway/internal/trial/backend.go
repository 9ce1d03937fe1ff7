package trial

import (
	"bytes"
	"io"
	"net/http"

	"portcullis/policies/policy"
)

// Forwarded is what an upstream was sent.
type Forwarded struct {
	Upstream string
	// Path is with the query.
	Path   string
	Header http.Header
	// Bytes is the length of the body.
	Bytes int64
}

// backend plays every upstream: it notes what it is sent and answers as it is
// told.
type backend struct {
	answer policy.Answer
	sent   *Forwarded
}

// link is the way to one upstream.
type link struct {
	name string
	to   *backend
}

func (l link) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := &Forwarded{Upstream: l.name, Path: r.URL.RequestURI(), Header: r.Header.Clone()}
	if r.Body != nil {
		n, err := io.Copy(io.Discard, r.Body) // bounded by the route
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		sent.Bytes = n
	}
	l.to.sent = sent
	return l.to.respond(r), nil
}

func (b *backend) respond(r *http.Request) *http.Response {
	body := b.answer.Body.V
	h := http.Header{}
	for _, f := range b.answer.Header {
		h.Add(f.Name, f.Value.V)
	}
	status := b.answer.Status.Or(http.StatusOK)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), Request: r,
	}
}

// broken reports whether the answer counts against the upstream's breaker.
func (b *backend) broken() bool {
	return b.answer.Status.Or(http.StatusOK) >= http.StatusInternalServerError
}
