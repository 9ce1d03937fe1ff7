package waf

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/transform"
)

// Attempt is a rule set to try exclusions with. It is loaded without the probe
// and the proofs that one in force goes through, and decides nothing.
type Attempt struct{ inspector *Inspector }

// NewAttempt loads the rules for a profile with patches, which have been proved,
// and exclusions.
func NewAttempt(p Profile, patches []Patch, exclusions []Exclusion) (*Attempt, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	if err := checkExclusions(exclusions); err != nil {
		return nil, err
	}
	i, err := load(p, exclusions, patches, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &Attempt{i}, nil
}

// Ask tells what the rules make of a request; the error is a bound of the
// profile that refuses it before.
func (a *Attempt) Ask(r *http.Request, body string) (pipeline.Inspection, error) {
	found, err := a.inspector.ask(r, body)
	return found.Inspection, err
}

// AskText asks about the request that a text of must_pass or must_block stands
// for.
func (a *Attempt) AskText(text string) (pipeline.Inspection, error) {
	r, body, err := described(text)
	if err != nil {
		return pipeline.Inspection{}, err
	}
	return a.Ask(r, body)
}

// Prove shows of exclusions what New shows of them, without what else New does.
// The error joins an Unproved for each that does not do what its requests say.
func Prove(p Profile, patches []Patch, exclusions []Exclusion) error {
	with, err := NewAttempt(p, patches, exclusions)
	if err != nil {
		return err
	}
	bare, err := NewAttempt(p, patches, nil)
	if err != nil {
		return err
	}
	return prove(bare.inspector, with.inspector)
}

// Argument is one of a request, named as ARGS: in rules and exclusions.
type Argument struct{ Name, Value string }

// errUnread is of a request that rules would not read as it stands.
var errUnread = errors.New("its arguments cannot be read in one way only")

// Arguments lists those of a request.
func Arguments(r *http.Request, body string) ([]Argument, error) {
	tx := &pipeline.Transaction{Request: r, Host: r.Host, Path: r.URL.EscapedPath()}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	s := new(subject)
	s.take(tx, []byte(body), formatNone)
	var arena transform.Arena
	var all arguments
	w := collect.New(&arena, collect.Bounds{Args: MaxArgs, Depth: MaxDepth})
	if err := w.Head(&s.Head, &all); err != nil {
		return nil, errUnread
	}
	if body == "" {
		return all, nil
	}
	f, err := Profile{Formats: allFormats}.bodyFormat(r.Header)
	if err != nil {
		return nil, err
	}
	if err := f.walk(w, body, r.Header.Get("Content-Type"), &all); err != nil {
		return nil, errUnread
	}
	return slices.Clip(all), nil
}

// ArgumentsOf lists those of the request that a text of must_pass stands for.
func ArgumentsOf(text string) ([]Argument, error) {
	r, body, err := described(text)
	if err != nil {
		return nil, err
	}
	return Arguments(r, body)
}

type arguments []Argument

// Value implements collect.Sink.
func (a *arguments) Value(v collect.Variable, name, value string) bool {
	if v == collect.ArgsGet || v == collect.ArgsPost {
		*a = append(*a, Argument{strings.Clone(name), strings.Clone(value)})
	}
	return true
}
