package diff

import (
	"fmt"
	"slices"

	"portcullis/policies/policy"
)

// balancers compares who may say whose a connection is. With one fewer its
// connections fail: their header is no handshake.
func (c *comparison) balancers() {
	was, is := c.old.gateway.ProxyProtocol, c.now.gateway.ProxyProtocol
	for _, p := range is {
		if !trusted(was, p.V) {
			c.say(Widens, p.Pos, "load balancers in "+p.V+" may say whose their connections are")
		}
	}
	for _, p := range was {
		if !trusted(is, p.V) {
			c.gone(Narrows, p.Pos, "load balancers in "+p.V+" may not say any more whose their connections are")
		}
	}
}

// clientCertificates compares what clients show, host by host. An authority is
// compared by its file: what stands in it is not looked at.
func (c *comparison) clientCertificates() {
	before, after := c.old.gateway.ClientCertificates, c.now.gateway.ClientCertificates
	hosts := slices.Clone(c.now.hosts)
	for _, host := range append(hosts, "") {
		if host != "" && !slices.Contains(c.old.hosts, host) {
			continue // it is told that the host is new
		}
		was, is := shownFor(before, host), shownFor(after, host)
		who := "clients of host " + host
		if host == "" {
			who = "clients that name no host"
		}
		switch {
		case was == nil && is == nil:
		case was == nil:
			kind := Narrows
			if !is.Required.Or(true) {
				kind = Changes
			}
			c.say(kind, is.Pos, fmt.Sprintf("%s %s a certificate", who, shows(is)))
		case is == nil:
			kind := Changes
			if was.Required.Or(true) {
				kind = Widens
			}
			c.gone(kind, was.Pos, who+" show no certificate any more")
		case was.Required.Or(true) && !is.Required.Or(true):
			c.say(Widens, is.Pos, who+" need no certificate any more")
		case c.old.doc.Written(was.CA) != c.now.doc.Written(is.CA):
			c.say(Unproved, is.CA.Pos, fmt.Sprintf("%s show certificates of the authorities in %q and not in %q", who, c.now.doc.Written(is.CA), c.old.doc.Written(was.CA)))
		case is.Required.Or(true) && !was.Required.Or(true):
			c.say(Narrows, is.Pos, who+" need a certificate")
		}
	}
}

func shows(c *policy.ClientCertificates) string {
	if c.Required.Or(true) {
		return "need"
	}
	return "may show"
}

// shownFor is the entry that holds for a host.
func shownFor(list []*policy.ClientCertificates, host string) *policy.ClientCertificates {
	var everywhere *policy.ClientCertificates
	for _, c := range list {
		if len(c.Hosts) == 0 {
			everywhere = c
		}
		if slices.ContainsFunc(c.Hosts, func(h policy.Value[string]) bool { return h.V == host }) {
			return c
		}
	}
	return everywhere
}
