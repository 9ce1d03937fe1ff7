package oauth

import (
	"encoding/json"
	"net/http"
	"time"
)

// happening is what came of a token request, one line in the names of the
// Elastic Common Schema where it has one. With it a token that turns up
// anywhere can be traced, by its id, to who asked for it and from where; it
// never holds the token or a secret.
type happening struct {
	Timestamp string   `json:"@timestamp"`
	Kind      string   `json:"event.kind"`
	Category  []string `json:"event.category"` // ECS: a list
	Action    string   `json:"event.action"`
	Outcome   string   `json:"event.outcome"`
	RequestID string   `json:"http.request.id,omitempty"`
	Source    string   `json:"source.ip"`
	Client    string   `json:"oauth.client_id,omitempty"`
	Error     string   `json:"oauth.error,omitempty"`
	TokenID   string   `json:"oauth.token.id,omitempty"`
	Audience  string   `json:"oauth.token.audience,omitempty"`
	Scopes    []string `json:"oauth.token.scopes,omitempty"`
	Expires   string   `json:"oauth.token.expires,omitempty"`
}

func (s *Server) event(r *http.Request, h happening) {
	h.Timestamp, h.Kind, h.Category, h.Action = stamp(s.now()), "event", []string{"authentication"}, "token"
	h.RequestID, h.Source = requestID(r), source(r).String()
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
