package pipeline

import "time"

// Realm is what challenges of the gateway name (RFC 9110 section 11.5).
const Realm = "portcullis"

// Route is one compiled route: what it matches, the stages it runs and where
// it goes. It is immutable.
type Route struct {
	Name string
	// Methods and Pattern are what the route matches: GET and HEAD at
	// /v1/hotels/{hotel}. A GET serves HEAD too where no route names it.
	Methods []string
	Pattern string
	// Hosts are those it is served on, lower case; nil is all of the snapshot's.
	Hosts []string
	// Place is where the policy says so: "routes/search.yaml:4".
	Place string
	// Stages run in order; see Decide.
	Stages []Stage
	// Forward sends what the stages allowed; nil with Redirect.
	Forward Forwarder
	// Redirect answers what the stages allowed in place of an upstream.
	Redirect *Redirect
	// CORS is which pages of other origins may use the route; nil leaves that to
	// the upstream.
	CORS *CORS
	// Response are the fields of every answer.
	Response Fields
	// Upstream names where it goes, for events and metrics.
	Upstream string
	// Timeout bounds the whole exchange with the upstream.
	Timeout time.Duration
	// Body bounds the request body in bytes; never 0 for "no limit".
	Body int64
	// WebSocket says that an upgrade to websocket may pass; any other upgrade
	// is refused.
	WebSocket bool
	// OptOuts are the stages the policy leaves out, with their reasons.
	OptOuts []OptOut
	// EncodedSlash says that the upstream takes %2F for a part of a name; a path
	// that holds one is refused otherwise.
	EncodedSlash bool
	// Queries are the names of query parameters whose values an event may hold.
	Queries []string
	// Reads is what its stages read of a request beyond what a transaction holds;
	// it must be kept for a request to be explained later.
	Reads Reads
	// Meter counts what came of the route's requests.
	Meter Meter
}

// Meter counts requests that ended; it is bound to one route, so that counting
// costs no lookup.
type Meter interface {
	Observe(kind Kind, status int, took time.Duration)
}

// OptOut is a stage that a policy leaves out on purpose.
type OptOut struct {
	Stage  string `json:"stage"`
	Reason string `json:"reason"`
}
