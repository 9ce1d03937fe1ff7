package policy

import "time"

// What holds where a policy says nothing. A route's own defaults are worked out
// by Effective; the reference in keys*.go names each of these too.
const (
	defaultBody    = 64 << 10
	defaultTimeout = 3 * time.Second
	// defaultCapacity keeps a hanging backend from holding more than about a
	// quarter of the connections the gateway accepts.
	defaultCapacity = 1000

	DefaultRedirect = 308
	DefaultMaxAge   = 10 * time.Minute // of a preflight, in browsers

	DefaultProfile     = "rfc9068"
	DefaultLifetime    = time.Hour // of a token that is accepted
	DefaultClientClaim = "azp"     // of profile jwt, as the next
	DefaultScopeClaim  = "scope"

	DefaultIntrospected = "opaque"         // tokens that an issuer is asked about
	DefaultBelief       = 30 * time.Second // in an issuer's answer

	DefaultConnect  = time.Second
	DefaultSamples  = 20
	DefaultFailures = 50 // per cent
	DefaultWindow   = 10 * time.Second
	DefaultOpen     = 5 * time.Second

	DefaultParanoia    = 1
	DefaultInbound     = 5
	DefaultOutbound    = 4
	DefaultArgs        = 255
	DefaultDepth       = 20
	DefaultInspectBody = inspectBodyMost // bytes
	DefaultCost        = 20 * time.Millisecond
	DefaultOver        = "reject"

	DefaultResponseBody = 128 << 10 // bytes of an answer that are inspected

	DefaultIssued  = 5 * time.Minute // life of a token that is issued
	DefaultRefresh = 12 * time.Hour
)

// DefaultCompressed are the media types that compress: true is about.
func DefaultCompressed() []string {
	return []string{
		"text/html", "text/css", "text/plain", "text/csv", "text/markdown", "text/javascript", "text/xml", "text/calendar",
		"application/json", "application/*+json", "application/x-ndjson", "application/xml", "application/*+xml",
		"application/javascript", "image/svg+xml",
	}
}

// DefaultAlgorithms are those an issuer may sign with.
func DefaultAlgorithms() []string { return []string{"ES256", "RS256"} }
