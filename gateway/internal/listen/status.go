package listen

import (
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"portcullis/certs"
	"portcullis/gateway/internal/pipeline"
)

// Status is what the public port serves at the moment, as /status shows it.
type Status struct {
	Certificates       []certs.Served      `json:"certificates"`
	ClientCertificates []ClientCertificate `json:"client_certificates,omitempty"`
	Connections        map[string]int      `json:"connections"`
	// RefusedProxyHeader is the last of them.
	RefusedProxyHeader *RefusedHeader `json:"refused_proxy_header,omitempty"`
}

// ClientCertificate is what clients of a host are asked for.
type ClientCertificate struct {
	Host     string `json:"host"` // "*" for every other host
	Required bool   `json:"required"`
	// Authorities are the SHA-256 of their certificates, in hex.
	Authorities []string `json:"authorities_sha256"`
}

// RefusedHeader is a PROXY header that was not believed. Who sends them is a load
// balancer of ours that is set up wrongly, and its operator looks for the reason.
type RefusedHeader struct {
	Time time.Time `json:"time"`
	Peer string    `json:"peer"`
	Why  string    `json:"why"`
}

// Status tells what is served, and until when.
func (a *Acceptor) Status() Status {
	s := Status{Certificates: a.shelf.Served(), Connections: map[string]int{}, RefusedProxyHeader: a.complaint.Load()}
	for p, n := range a.crowd.count() {
		s.Connections[phaseNames()[p]] = n
	}
	snapshot := a.current.Load()
	if snapshot == nil {
		return s
	}
	for _, host := range slices.Sorted(maps.Keys(snapshot.ClientCertificates)) {
		s.ClientCertificates = append(s.ClientCertificates, shown(host, snapshot.ClientCertificates[host]))
	}
	if snapshot.ClientCertificate != nil {
		s.ClientCertificates = append(s.ClientCertificates, shown("*", snapshot.ClientCertificate))
	}
	return s
}

func shown(host string, auth *pipeline.ClientAuth) ClientCertificate {
	c := ClientCertificate{Host: host, Required: auth.Required}
	for root := range auth.Roots {
		c.Authorities = append(c.Authorities, hex.EncodeToString(root[:]))
	}
	slices.Sort(c.Authorities)
	return c
}
