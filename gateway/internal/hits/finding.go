// Package hits keeps the top of what the rules of the WAF find, in bounded
// memory whatever clients send, and reads it back from recorded security
// events.
package hits

import (
	"net/netip"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Finding is what one profile found in one request. It holds no value of it.
type Finding struct {
	Time time.Time
	// Request is the request's id.
	Request, Route string
	// Mode is enforce or shadow, Verdict what came of the request by the profile.
	Profile, Mode, Verdict string
	Score, Threshold       int
	// Client tells those who ask apart: the subject of a token, else the address,
	// of IPv6 its /64.
	Client string
	Hits   []pipeline.Hit
}

// Of tells what a profile found in a request that has ended.
func Of(tx *pipeline.Transaction, found *pipeline.Inspection, shadow bool) Finding {
	f := Finding{
		Time: tx.Start, Request: tx.ID, Profile: found.Profile, Mode: modeOf(shadow), Verdict: found.Verdict(shadow),
		Score: found.Score, Threshold: found.Threshold, Hits: found.Hits,
	}
	if tx.Route != nil {
		f.Route = tx.Route.Name
	}
	var issuer, subject string
	if tx.Principal != nil {
		issuer, subject = tx.Principal.Issuer, tx.Principal.Subject
	}
	f.Client = client(issuer, subject, tx.Source)
	return f
}

func modeOf(shadow bool) string {
	if shadow {
		return "shadow"
	}
	return "enforce"
}

func client(issuer, subject string, source netip.Addr) string {
	switch {
	case subject != "":
		return issuer + " " + subject
	case source.Is6() && !source.Is4In6():
		if network, err := source.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return source.String()
}
