package waf

import (
	"bytes"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/proof"
)

// subject is a request as it is inspected. The engine and the proof in front of
// it are told of one and the same: a field that only one of them saw would be
// where an attack passes.
type subject struct {
	collect.Head
	host, id string
	body     []byte
	format   format
	names    []string // room to sort in
	// narrow says that the engine need not be asked about the rules in spared.
	narrow bool
	spared []proof.Span
	// cost is what asking about the others is estimated to take, 0 when that is
	// not known.
	cost time.Duration
	// most is what it may take, dear says that it takes more.
	most time.Duration
	dear bool
}

// subject is what is inspected of a request; release gives it back.
func (i *Inspector) subject(tx *pipeline.Transaction, body []byte, f format) *subject {
	s, ok := i.subjects.Get().(*subject)
	if !ok {
		s = &subject{Head: collect.Head{Fields: make([]collect.Field, 0, 32)}, names: make([]string, 0, 32)}
	}
	s.take(tx, body, f)
	return s
}

// release lets go of all that was of the request.
func (i *Inspector) release(s *subject) {
	clear(s.Fields[:cap(s.Fields)])
	clear(s.names[:cap(s.names)])
	*s = subject{Head: collect.Head{Fields: s.Fields[:0]}, names: s.names[:0], spared: s.spared[:0]}
	i.subjects.Put(s)
}

func (s *subject) take(tx *pipeline.Transaction, body []byte, f format) {
	s.Method, s.Target, s.Proto, s.Source = tx.Request.Method, target(tx), tx.Request.Proto, clientAddress(tx.Source)
	s.host, s.id, s.body, s.format = tx.Host, tx.ID, body, f
	s.header(tx)
}

// header lists the fields in a stable order, Host first and every duplicate, so
// that equal requests get equal verdicts: net/http keeps fields in a map. Host
// and the framing fields come from where net/http puts them.
func (s *subject) header(tx *pipeline.Transaction) {
	r := tx.Request
	host := r.Host
	if host == "" {
		host = tx.Host
	}
	s.field("Host", host)
	switch {
	case len(r.TransferEncoding) > 0:
		for _, coding := range r.TransferEncoding {
			s.field("Transfer-Encoding", coding)
		}
	case r.ContentLength > 0, r.ContentLength == 0 && r.Method == http.MethodPost:
		s.field("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	for name := range r.Header {
		if !skipped(name, r.Header[name]) {
			s.names = append(s.names, name)
		}
	}
	slices.Sort(s.names)
	for _, name := range s.names {
		for _, value := range r.Header[name] {
			s.field(name, value)
		}
	}
}

func (s *subject) field(name, value string) {
	s.Fields = append(s.Fields, collect.Field{Name: name, Value: value})
}

// text is the body; nobody changes it while it is inspected.
func (s *subject) text() string { return text(s.body) }

// contentType is the field's value as it came; empty when there is none.
func (s *subject) contentType() string {
	for n := range s.Fields {
		if s.Fields[n].Name == "Content-Type" {
			return s.Fields[n].Value
		}
	}
	return ""
}

func text(body []byte) string { return unsafe.String(unsafe.SliceData(body), len(body)) }

// kept is the same request for later, when this one has been answered.
func (s *subject) kept() *subject {
	k := *s
	k.Fields, k.names, k.body, k.spared = slices.Clone(s.Fields), nil, bytes.Clone(s.body), slices.Clone(s.spared)
	return &k
}

// target is what the upstream will be asked for: the canonical path and the
// query that was read. The engine splits it by itself, and no query is let in of
// which it makes other parameters than we do.
func target(tx *pipeline.Transaction) string {
	if tx.Query.Raw() == "" {
		return tx.Path
	}
	return tx.Path + "?" + tx.Query.Raw()
}

// clientAddress is the address without brackets, zone or IPv4-in-IPv6, as
// address rules expect it.
func clientAddress(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// skipped tells which fields need not be inspected.
func skipped(name string, values []string) bool {
	switch name {
	case "Authorization":
		// No upstream ever gets it: it is replaced or removed on the way. Shown to
		// the rules it would cost as much as three arguments, match by chance
		// (base64 holds everything) and lie about in the engine's memory.
		return true
	case "Host", "Content-Length", "Transfer-Encoding":
		return true // listed already
	case "Expect":
		// net/http has answered 100-continue itself; the rules would refuse
		// every client that asks before it sends a large body.
		return len(values) == 1 && strings.EqualFold(values[0], "100-continue")
	}
	return false
}
