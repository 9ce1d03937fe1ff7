// Package problem holds the errors that people outside a process may see: RFC
// 9457 problem details with a code that programs can rely on. What may be said
// in public (code, title, detail) and what may not (the cause) are separate
// fields, so that writing a response can never leak an internal error.
package problem

import (
	"fmt"
	"net/http"
)

// Problem is a refusal or a failure that becomes an HTTP response. It is an
// error; its text is for logs and includes the private cause.
type Problem struct {
	// Code is the stable, public name of what went wrong.
	Code Code
	// Detail is one public sentence for the caller. It never quotes policies,
	// tokens or internal addresses.
	Detail string
	// Chosen is the status that a policy has chosen for the answer, in place of the
	// code's; 0 for none.
	Chosen int
	// Header holds response fields that belong to this answer, such as
	// WWW-Authenticate or Retry-After. It may be nil.
	Header http.Header
	// Cause is private: logged, never written to a response. It may be nil.
	Cause error
}

// New returns a problem with a public detail. An empty detail leaves the
// code's own title to speak.
func New(code Code, detail string) *Problem {
	return &Problem{Code: code, Detail: detail}
}

// Because returns the problem with its private cause set.
func (p *Problem) Because(cause error) *Problem {
	p.Cause = cause
	return p
}

// With returns the problem with one more response field.
func (p *Problem) With(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Add(name, value)
	return p
}

// Answering returns the problem with a status of its own, 400 to 599, where a
// policy chooses one. With any other it keeps that of its code.
func (p *Problem) Answering(status int) *Problem {
	if status >= 400 && status <= 599 {
		p.Chosen = status
	}
	return p
}

// Elsewhere returns the problem as a redirect to a place, by 301, 303, 307 or else
// 302.
func (p *Problem) Elsewhere(status int, to string) *Problem {
	switch status {
	case 301, 303, 307:
		p.Chosen = status
	default:
		p.Chosen = 302
	}
	return p.With("Location", to)
}

// Unanswered is the status, in events alone, of a problem that nobody is told: the
// connection is closed, or the stream reset. nginx calls it by the same number.
const Unanswered = 444

// Silently returns the problem as one that nobody is told.
func (p *Problem) Silently() *Problem {
	p.Chosen = Unanswered
	return p
}

// Status is the HTTP status of the answer: that of the code, unless Answering,
// Elsewhere or Silently has set another.
func (p *Problem) Status() int {
	if p.Chosen != 0 {
		return p.Chosen
	}
	return p.Code.Status()
}

// Error is the private text: code, detail and cause. It must not be shown to
// callers; Write shows them what they may see.
func (p *Problem) Error() string {
	text := string(p.Code)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Cause != nil {
		text = fmt.Sprintf("%s: %v", text, p.Cause)
	}
	return text
}

// Unwrap gives errors.Is and errors.As the private cause.
func (p *Problem) Unwrap() error { return p.Cause }
