package waf

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// onlooker keeps a copy of the beginning of one answer for the profiles in mode
// shadow. Not a byte of the answer changes, and nothing waits for it; the copy is
// inspected when the transaction is done. A nil one looks at nothing.
type onlooker struct {
	stage *stage
	tx    *pipeline.Transaction
	// inner holds answers back for the profile in force; nil without one.
	inner pipeline.AnswerInspector
	body  []byte // of the request
	seen  *passing
}

// onlook leaves an onlooker on the transaction, if some profile in shadow looks
// at answers.
func (s *stage) onlook(tx *pipeline.Transaction) *onlooker {
	if !slices.ContainsFunc(s.shadows, func(u Use) bool { return u.profile.Responses.Some() }) {
		return nil
	}
	o := &onlooker{stage: s, tx: tx, inner: tx.Answers}
	tx.OnDone(o.done) // before the body of the request is watched, hence run after that
	tx.Answers = o
	return o
}

// request is told of the body of the request.
func (o *onlooker) request(body []byte) {
	if o != nil {
		o.body = body
	}
}

// Forward is pipeline.AnswerInspector's.
func (o *onlooker) Forward(next pipeline.Forwarder, w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	o.seen = &passing{ResponseWriter: w, kept: buffer{gate: o.stage.gate}}
	for i := range o.stage.shadows {
		if r := o.stage.shadows[i].profile.Responses; r.Some() {
			o.seen.of = append(o.seen.of, r)
		}
	}
	if o.inner != nil {
		return o.inner.Forward(next, o.seen, tx)
	}
	return next.Forward(o.seen, tx)
}

func (o *onlooker) done() {
	c := o.seen
	if c == nil || c.status == 0 {
		return // nobody got an answer of an upstream
	}
	defer c.kept.free()
	for i := range o.stage.shadows {
		u := &o.stage.shadows[i]
		media, look, err := u.profile.Responses.looksAtSome(o.tx.Request.Method, c.status, c.head)
		switch {
		case err != nil, look && c.lost:
			u.record(o.tx, u.profile.Name, pipeline.Fault)
		case look && len(c.kept.bytes) > 0 && !u.denied(o.tx):
			u.besideAnswer(o, media)
		}
	}
}

// denied tells whether the profile would have denied the request.
func (u *Use) denied(tx *pipeline.Transaction) bool {
	return slices.ContainsFunc(tx.Shadows, func(s pipeline.Shadow) bool {
		profile, _, _ := strings.Cut(s.Rule, ":")
		return s.Stage == Stage && profile == u.profile.Name
	})
}

var errFull = errors.New("the gate is full")

// besideAnswer inspects an answer by a profile in mode shadow and records what it
// would have come to, as beside does for requests.
func (u *Use) besideAnswer(o *onlooker, media string) {
	tx, c := o.tx, o.seen
	format, err := u.profile.bounded(tx, o.body)
	if err != nil {
		u.record(tx, u.profile.Name, pipeline.Fault)
		return
	}
	s := &screen{gate: o.stage.gate, use: u, tx: tx, request: u.subject(tx, o.body, format)}
	defer func() { u.release(s.request) }()
	proof := u.said(tx.Request.Context(), s.request)
	if s.clean = proof.Clean; !s.clean {
		if _, over := u.tooDear(s.request, proof); over {
			err = s.stranger()
		}
	}
	if err != nil {
		u.record(tx, u.profile.Name, pipeline.Fault)
		return
	}
	s.answer.id = tx.ID
	s.answer.take(c.status, tx.Request.Proto, c.head, media)
	most := int(u.profile.Responses.Body)
	s.answer.body = c.kept.bytes[:min(len(c.kept.bytes), most)]
	s.answer.partly = c.more || len(c.kept.bytes) > most
	found, err := s.inspect(func() error {
		if !s.gate.tryEnter() {
			return errFull
		}
		return nil
	})
	switch {
	case err != nil:
		u.record(tx, u.profile.Name, pipeline.Fault)
	case found.interruption != nil:
		u.record(tx, u.profile.Name+":"+strconv.Itoa(found.interruption.RuleID), pipeline.Deny)
	}
	for i := range tx.ShadowWAF {
		if err == nil && tx.ShadowWAF[i].Profile == u.profile.Name {
			tx.ShadowWAF[i].Answer = found.AnswerInspection
		}
	}
}

// looksAtSome is looksAt for what may inspect nothing.
func (r Responses) looksAtSome(method string, status int, header http.Header) (string, bool, error) {
	if !r.Some() {
		return "", false, nil
	}
	return r.looksAt(method, status, header)
}

// passing is a writer that keeps the beginning of what it passes on.
type passing struct {
	http.ResponseWriter
	of     []Responses
	status int
	head   http.Header
	kept   buffer
	// more says that the answer is longer than what is kept, lost that there was no
	// memory to keep it.
	more, lost bool
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (c *passing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *passing) WriteHeader(status int) {
	if status >= 200 && c.status == 0 {
		c.status, c.head = status, maps.Clone(c.Header())
		for _, r := range c.of {
			if _, look := r.listed(c.head["Content-Type"]); look {
				c.kept.most = max(c.kept.most, int(r.Body))
			}
		}
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *passing) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	n, err := c.ResponseWriter.Write(p)
	c.keep(p[:n])
	return n, err
}

func (c *passing) keep(p []byte) {
	if room := c.kept.room(); len(p) > room {
		p, c.more = p[:room], true
	}
	c.lost = c.lost || !c.kept.add(p)
}
