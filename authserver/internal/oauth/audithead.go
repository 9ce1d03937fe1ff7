package oauth

import (
	"encoding/json"
	"net/http"
	"time"

	"portcullis/authserver/internal/audit"
)

// headAge is how long a signed head is shown before a newer one is signed.
const headAge = time.Second

// AuditHeadType is the typ of a signed head, which keeps it from being taken for a
// token.
const AuditHeadType = "portcullis-audit-head+jwt"

// signedHead is the newest head that was signed.
type signedHead struct {
	at   time.Time
	head audit.Head
	jws  string
}

// auditHead publishes where the audit log stands, signed. Whoever keeps one can
// tell later whether lines up to it were altered or cut off, whoever did it.
func (s *Server) auditHead(w http.ResponseWriter, r *http.Request) {
	jws, err := s.signHead()
	if err != nil {
		s.refuse(w, r, "", err)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = w.Write([]byte(jws)) // a client that hung up is told nothing
}

func (s *Server) signHead() (string, error) {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	now := s.now()
	if now.Sub(s.head.at) < headAge && s.head.jws != "" {
		return s.head.jws, nil
	}
	head := s.cfg.Audit.Head()
	if head == s.head.head && s.head.jws != "" {
		return s.head.jws, nil
	}
	payload, err := json.Marshal(struct {
		Issuer string `json:"iss"`
		audit.Head
	}{s.cfg.Issuer, head})
	if err != nil {
		return "", err
	}
	jws, err := s.cfg.Signer.Sign(AuditHeadType, payload)
	if err != nil {
		return "", err
	}
	s.head = signedHead{now, head, jws}
	return jws, nil
}
