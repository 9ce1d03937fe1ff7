package pipeline

// Stage looks at a transaction and decides. It returns nil to let the request
// pass, a *problem.Problem to deny it, or any other error for a fault of ours.
// A stage never writes a response; it may set tx.Rule, add response fields to
// tx.Header, and register clean-ups. It is shared by all requests of a
// snapshot, hence safe for concurrent use.
type Stage interface {
	// Name is the stage's public name: capacity, source-limit, authenticate,
	// authorize, principal-limit, inspect, validate.
	Name() string
	Decide(tx *Transaction) error
}

// Forwarder sends an allowed request to its upstream and the answer back.
type Forwarder interface {
	// Forward writes the response itself once it has begun. When it returns a
	// non-nil error nothing has been written, and the runner answers: a
	// *problem.Problem as it stands, any other error as 502. A failure after the
	// response has begun is reported in Result.Broken instead.
	Forward(w ResponseWriter, tx *Transaction) (Result, error)
}

// AnswerInspector looks at an answer on its way from a forwarder to the client.
type AnswerInspector interface {
	// Forward has next answer the transaction; see Forwarder.
	Forward(next Forwarder, w ResponseWriter, tx *Transaction) (Result, error)
}

// Result is what a forward did, for the event and the metrics.
type Result struct {
	// Status is the status relayed to the client, 0 when nothing was.
	Status int
	// Bytes counts response body bytes relayed.
	Bytes int64
	// Path is what the endpoint was asked for where the route rewrites it; empty
	// where that was the transaction's.
	Path string
	// Endpoint is the address that answered, without credentials.
	Endpoint string
	// Attempts counts tries, the first included.
	Attempts int
	// Broken is why a response that had begun could not be completed.
	Broken error
}
