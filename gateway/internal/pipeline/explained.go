package pipeline

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"portcullis/services/problem"
)

// Explained is a decision with its reasons, as people are told it and as it
// travels as JSON. It holds no token, no body and no query.
type Explained struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Path   string    `json:"path"`
	// Source, Subject and Client are who asked; empty while not known.
	Source  netip.Addr `json:"source,omitzero"`
	Subject string     `json:"subject,omitempty"`
	Client  string     `json:"client,omitempty"`
	// Route and Place name the route, empty when none took the request.
	Route string `json:"route,omitempty"`
	Place string `json:"place,omitempty"`
	// Status is what the caller was answered, Decision is allow, deny or fault.
	Status   int    `json:"status"`
	Decision string `json:"decision"`
	Stage    string `json:"stage,omitempty"`
	Rule     string `json:"rule,omitempty"`
	// Code and Cause are the problem's: its public name, and the private reason.
	Code  string `json:"code,omitempty"`
	Cause string `json:"cause,omitempty"`
	// Policy is the version the request was decided by.
	Policy  string   `json:"policy,omitempty"`
	Tree    []Reason `json:"tree"`
	Shadows []Shadow `json:"shadow,omitempty"`
	// Note says why there is no tree; empty when there is one.
	Note string `json:"note,omitempty"`
}

// StageForward is where a request fails that every stage let pass, StageCORS
// where a browser's question does.
const StageForward, StageCORS = "forward", "cors"

// NewExplained tells a request that has ended. It keeps nothing of tx.
func NewExplained(tx *Transaction, d Decision, status int) Explained {
	e := Explained{
		ID: tx.ID, Time: tx.Start, Method: tx.Request.Method, Host: tx.Host, Path: tx.Path, Source: tx.Source,
		Status: status, Decision: d.Kind.String(), Stage: d.Stage, Rule: d.Rule, Tree: tree(tx, d),
	}
	if e.Host == "" {
		e.Host = tx.Request.Host
	}
	if e.Path == "" && tx.Request.URL != nil {
		e.Path = tx.Request.URL.EscapedPath()
	}
	if tx.Principal != nil {
		e.Subject, e.Client = tx.Principal.Subject, tx.Principal.Client
	}
	if tx.Route != nil {
		e.Route, e.Place = tx.Route.Name, tx.Route.Place
	}
	if tx.Snapshot != nil {
		e.Policy = tx.Snapshot.Version
	}
	if d.Problem != nil {
		e.Code, e.Cause = string(d.Problem.Code), why(tx, d)
	}
	for _, s := range tx.Shadows {
		s.Count = nil
		e.Shadows = append(e.Shadows, s)
	}
	return e
}

// why is the private reason of a refusal, or what the caller was told.
func why(tx *Transaction, d Decision) string {
	switch {
	case d.Problem == nil:
		return ""
	case d.Problem.Cause != nil:
		return d.Problem.Cause.Error()
	case d.Problem.Detail != "":
		return d.Problem.Detail
	case d.Problem.Code == problem.NotFound && tx.Route == nil:
		return fmt.Sprintf("no route takes %s %s", tx.Request.Method, tx.Path)
	case d.Problem.Code == problem.MethodNotAllowed && tx.Route == nil:
		return fmt.Sprintf("no route takes %s %s; there is one for %s", tx.Request.Method, tx.Path, tx.Snapshot.Allowed(tx.Host, tx.Path))
	case d.Problem.Code == problem.BodyTooLarge && tx.Route != nil && d.Stage == "":
		return fmt.Sprintf("the body is longer than the %d bytes that route %s takes", tx.Route.Body, tx.Route.Name)
	default:
		return d.Problem.Code.Title()
	}
}

// mend is what would have got a request past the edge; empty where nothing can
// be said.
func mend(tx *Transaction, d Decision) string {
	switch d.Problem.Code {
	case problem.WrongHost:
		return "the host is " + strings.Join(slices.Sorted(maps.Keys(tx.Snapshot.Hosts)), " or ")
	case problem.AmbiguousPath:
		return "the path and the query are in their plain spelling"
	}
	return ""
}

// tree puts what happens before the stages and after them around their reasons.
func tree(tx *Transaction, d Decision) []Reason {
	edge := Reason{Text: "edge", State: Holds}
	switch {
	case d.Stage == "" && d.Problem != nil:
		// Refused before any stage of the route; only what is asked of everybody
		// was asked.
		edge.State, edge.Value, edge.Mend = Fails, why(tx, d), mend(tx, d)
		if d.Kind == Fault {
			edge.State = Broken
		}
		if tx.Route == nil && tx.Host != "" && tx.Path != "" {
			edge.Under = nearest(tx)
		}
		reasons := []Reason{edge}
		if tx.Source.IsValid() {
			reasons = append(reasons, explainStages(tx, Decision{Kind: Allow}, tx.unrouted())...)
		}
		if tx.Route != nil {
			reasons = append(append(reasons, unasked(tx.Route.Stages)...), Reason{Text: StageForward, State: Unasked})
		}
		return reasons
	case tx.Preflight, tx.Route == nil:
		return append([]Reason{edge}, Explain(tx, d)...)
	}
	edge.Under = []Reason{{Text: fmt.Sprintf("route %s takes %s %s", tx.Route.Name, tx.Request.Method, tx.Path), State: Holds, Place: tx.Route.Place}}
	forward := Reason{Text: StageForward, State: Holds, Value: "to upstream " + tx.Route.Upstream}
	switch {
	case d.Stage == StageForward:
		forward.State, forward.Value = Fails, why(tx, d)
		if d.Kind != Deny {
			forward.State = Broken
		}
	case d.Kind != Allow:
		forward.State, forward.Value = Unasked, ""
	case tx.Route.Redirect != nil:
		forward.Text, forward.Value = "redirect", ""
	}
	return append(append([]Reason{edge}, Explain(tx, d)...), forward)
}

func unasked(stages []Stage) []Reason {
	reasons := make([]Reason, len(stages))
	for i, s := range stages {
		reasons[i] = Reason{Text: s.Name(), State: Unasked}
	}
	return reasons
}

// MarshalText is String, for JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(text []byte) error {
	for known := Deny; known <= Fault; known++ {
		if known.String() == string(text) {
			*k = known
			return nil
		}
	}
	return errUnknown("decision", text)
}

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	for known := Neutral; known <= Unasked; known++ {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return errUnknown("state", text)
}

func errUnknown(what string, text []byte) error {
	return fmt.Errorf("unknown %s %.32q", what, text)
}
