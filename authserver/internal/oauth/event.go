package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/source"
)

// happening is what came of a request, one line in the names of the Elastic
// Common Schema where it has one. With it a token that turns up anywhere can be
// traced, by its id, to who asked for it and from where; it never holds the
// token or a secret.
type happening struct {
	Timestamp string   `json:"@timestamp"`
	Kind      string   `json:"event.kind"`
	Category  []string `json:"event.category"` // ECS: a list
	Action    string   `json:"event.action"`
	Outcome   string   `json:"event.outcome"`
	RequestID string   `json:"http.request.id,omitempty"`
	Source    string   `json:"source.ip"`
	Client    string   `json:"oauth.client_id,omitempty"`
	Grant     string   `json:"oauth.grant_type,omitempty"`
	Error     string   `json:"oauth.error,omitempty"`
	Subject   string   `json:"oauth.token.subject,omitempty"`
	Actor     string   `json:"oauth.token.actor,omitempty"`
	TokenID   string   `json:"oauth.token.id,omitempty"`
	Audience  string   `json:"oauth.token.audience,omitempty"`
	Scopes    []string `json:"oauth.token.scopes,omitempty"`
	Expires   string   `json:"oauth.token.expires,omitempty"`
	Reason    string   `json:"event.reason,omitempty"`
}

// issued tells of a token.
func issued(client issue.Client, grant string, t issue.Token) happening {
	h := happening{
		Outcome: success, Client: client.ID, Grant: grant, Subject: t.Subject, TokenID: t.ID, Audience: t.Audience,
		Scopes: t.Scopes, Expires: stamp(t.Expires),
	}
	if len(t.Actors) > 0 {
		h.Actor = t.Actors[0]
	}
	return h
}

const (
	success = "success"
	failure = "failure"
)

// record writes what happened to the audit log, durably, and then as an event.
// Nobody is answered before it has returned nil: what was answered must not be
// missing from the audit, whatever happens to this process next.
func (s *Server) record(r *http.Request, h happening) error {
	h.RequestID, h.Source = requestID(r), source.Of(r).String()
	if h.Action == "" {
		h.Action = strings.TrimPrefix(r.URL.Path, "/")
	}
	// A client that hangs up does not undo what it has caused.
	err := s.cfg.Audit.Append(context.WithoutCancel(r.Context()), audit.Record{
		Action: h.Action, Outcome: h.Outcome, Client: h.Client, Subject: h.Subject, Actor: h.Actor, TokenID: h.TokenID,
		Audience: h.Audience, Scopes: h.Scopes, Source: h.Source, RequestID: h.RequestID, Reason: strings.TrimSpace(h.Error + " " + h.Reason), Detail: h.Grant,
	})
	s.event(h)
	return err
}

func (s *Server) event(h happening) {
	h.Timestamp, h.Kind, h.Category = stamp(s.now()), "event", []string{"authentication"}
	line, err := json.Marshal(h)
	if err != nil {
		s.log.Error("an event could not be encoded", "error", err)
		return
	}
	_, _ = s.cfg.Events.Write(append(line, '\n')) // it drops and counts, see chassis.EventWriter
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// requestID is the id that the outermost middleware has put on the request.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }
