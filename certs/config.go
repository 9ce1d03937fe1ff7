package certs

import (
	"crypto/tls"
	"errors"
	"log/slog"
)

// ServerConfig says how a server proves itself and whom it lets in.
type ServerConfig struct {
	Files Files
	// ClientAuth requires of every client a certificate signed by an authority
	// in Files.CA.
	ClientAuth bool
	// Log is told when files change; nil keeps silent.
	Log *slog.Logger
}

// ClientConfig says whom a client trusts and how it proves itself.
type ClientConfig struct {
	// Files.CA replaces the system's authorities; empty means those.
	// Files.Cert and Files.Key are for servers that ask for a certificate.
	Files Files
	// Log is told when files change; nil keeps silent.
	Log *slog.Logger
}

// NewServer loads the identity of a server. It fails when a file is missing,
// does not fit its pair or has expired.
func NewServer(c ServerConfig) (*Reloader, error) {
	if c.Files.Cert == "" {
		return nil, errors.New("a server needs a certificate")
	}
	if c.ClientAuth && c.Files.CA == "" {
		return nil, errors.New("checking client certificates needs a CA file")
	}
	return newReloader(c.Files, c.ClientAuth, c.Log)
}

// NewClient loads what a client trusts, and its identity if it has one.
func NewClient(c ClientConfig) (*Reloader, error) {
	return newReloader(c.Files, false, c.Log)
}

// Server is a configuration for servers: TLS 1.2 or later, AEAD suites only.
// The protocols offered are those given, or "h2" and "http/1.1".
func (r *Reloader) Server(protocols ...string) *tls.Config {
	if len(protocols) == 0 {
		protocols = []string{"h2", "http/1.1"}
	}
	c := base()
	c.NextProtos = protocols
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.identity().pair, nil }
	if !r.clientAuth {
		return c
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = r.current.Load().pool
	// Authorities are a plain field, so each handshake gets a copy with those
	// in force. Session tickets stay those of the outer configuration.
	inner := c.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		each := inner.Clone()
		each.ClientCAs = r.identity().pool
		return each, nil
	}
	return c
}

// Client is a configuration for clients: TLS 1.2 or later, AEAD suites only.
// The certificate follows its files; the authorities are those in force when
// Client is called, because crypto/tls checks names of servers only against a
// fixed set. ALPN is left to the caller.
func (r *Reloader) Client() *tls.Config {
	c := base()
	c.RootCAs = r.identity().pool
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if pair := r.identity().pair; pair != nil {
			return pair, nil
		}
		return &tls.Certificate{}, nil // sends none; nil would be an error
	}
	return c
}

func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// For TLS 1.2: forward secrecy and AEAD. Version 1.3 has nothing else.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
