// Package fault is a TCP proxy that misbehaves on request, for tests of what a
// process does when a neighbour is slow, cut off or away. It stands between two
// real processes and knows nothing of what they say, so that TLS goes through it
// end to end.
package fault

import "time"

// Fault is one way to misbehave. Its zero value is None.
type Fault struct {
	kind  kind
	delay time.Duration
	after int64
}

type kind int

const (
	none kind = iota
	delay
	cut
	refuse
	hang
)

// None lets everything through.
func None() Fault { return Fault{} }

// Delay has answers arrive d later than they would. Requests arrive at once: the
// work is done, and heard of late.
func Delay(d time.Duration) Fault { return Fault{kind: delay, delay: d} }

// CutAfter lets n more bytes of answers through on each connection and resets it
// before the next: the caller sees half an answer, or with 0 none at all, of what
// was done. TLS begins with a few KiB of the server's, which count on a new
// connection.
func CutAfter(n int64) Fault { return Fault{kind: cut, after: n} }

// Refuse resets all connections and refuses new ones, as when nobody listens.
func Refuse() Fault { return Fault{kind: refuse} }

// Hang takes connections and bytes, and passes nothing on in either direction
// until the fault is another; what it holds then goes on, however late that is.
func Hang() Fault { return Fault{kind: hang} }
