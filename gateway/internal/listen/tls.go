package listen

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"strings"
)

// config completes base: it asks for the certificates of clients that the policy
// in force asks for, by the server name of each handshake.
//
// The keys of session tickets are base's own, made in memory and replaced by
// crypto/tls each day: GetConfigForClient returns copies, and a copy that
// encrypted tickets itself would have keys of its own for one handshake. So every
// copy comes back to base for them.
func (a *Acceptor) config(base *tls.Config) *tls.Config {
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		s := a.current.Load()
		if s == nil {
			return nil, errors.New("no policy is loaded")
		}
		auth := s.ClientAuth(serverName(hello.ServerName))
		if auth == nil {
			return nil, nil
		}
		own := base.Clone()
		own.GetConfigForClient = nil
		own.ClientCAs = auth.Authorities
		own.ClientAuth = tls.VerifyClientCertIfGiven
		if auth.Required {
			own.ClientAuth = tls.RequireAndVerifyClientCert
		}
		return own, nil
	}
	base.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		tag := a.tag(state.ServerName)
		session.Extra = append(session.Extra, tag[:])
		return base.EncryptTicket(state, session)
	}
	base.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := base.DecryptTicket(ticket, state)
		if session == nil || err != nil {
			return nil, err
		}
		tag := a.tag(state.ServerName)
		if len(session.Extra) != 1 || !bytes.Equal(session.Extra[0], tag[:]) {
			return nil, nil // a full handshake follows
		}
		return session, nil
	}
	return base
}

// tag is what a session is bound to: a name and what is asked of its clients. A
// session remembers who the client proved to be; resumed for another host, or
// after the policy was edited, it would prove it to whom it was not shown.
func (a *Acceptor) tag(name string) [sha256.Size]byte {
	name = serverName(name)
	var asked [sha256.Size]byte
	if s := a.current.Load(); s != nil {
		if auth := s.ClientAuth(name); auth != nil {
			asked = auth.Digest
		}
	}
	return sha256.Sum256(append([]byte(name+"\x00"), asked[:]...))
}

// serverName is a name as hosts are known by.
func serverName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
