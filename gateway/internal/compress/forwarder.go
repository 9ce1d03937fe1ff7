// Package compress compresses answers on their way to clients that take it,
// where a route asks for that.
//
// The length of a compressed answer tells something of what it holds: who can
// have a victim's browser ask for a page that repeats what was asked beside a
// secret guesses the secret letter by letter, by which guess makes the answer
// shorter (BREACH). That needs a page of another origin which sends requests
// that carry the victim's credentials by themselves. What came with such
// credentials is therefore compressed only where the browser says that a page of
// the same origin asked; bearer tokens are sent by nothing but a program that
// has them.
package compress

import (
	"errors"
	"fmt"

	"portcullis/gateway/internal/pipeline"
)

// Config is what a Forwarder needs.
type Config struct {
	// Next gives the answers.
	Next pipeline.Forwarder
	// Types are media types in lower case, and ranges of them: text/html, text/*,
	// application/*+json.
	Types []string
	// Pool lends the memory.
	Pool *Pool
}

// Forwarder compresses what another one answers with. It is safe for concurrent
// use.
type Forwarder struct {
	next  pipeline.Forwarder
	types mediaTypes
	pool  *Pool
}

// New returns a forwarder that compresses answers of some types.
func New(c Config) (*Forwarder, error) {
	if c.Next == nil || c.Pool == nil {
		return nil, errors.New("compress: next and pool are both required")
	}
	types, err := newMediaTypes(c.Types)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &Forwarder{c.Next, types, c.Pool}, nil
}

// Forward is pipeline.Forwarder's; Result.Bytes counts what the client is sent.
func (f *Forwarder) Forward(w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	a := &answer{ResponseWriter: w, request: tx.Request, from: f}
	defer a.release()
	result, err := f.next.Forward(a, tx)
	if a.packer == nil {
		return result, err
	}
	// What broke off must not look whole: its end is left out.
	if err == nil && result.Broken == nil {
		if result.Broken = a.packer.Close(); result.Broken != nil {
			tx.ClientFailed(result.Broken)
		}
	}
	result.Bytes = a.sent
	return result, err
}
