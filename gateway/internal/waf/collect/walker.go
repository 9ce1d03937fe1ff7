package collect

import (
	"errors"

	"portcullis/gateway/internal/waf/transform"
)

// Sink is told of each value: under which variable, by which name among its
// values (empty where the variable has but one), and what it is. Names are as
// they were sent; the engine compares those of header fields and cookies without
// case. Name and value live until the walker's arena is reset. Value returns
// false to end the walk.
type Sink interface {
	Value(v Variable, name, value string) bool
}

// Bounds are those of the engine that the walk must not go beyond: what the
// engine does with more is not told here.
type Bounds struct {
	// Args is how many arguments of one kind the engine reads.
	Args int
	// Depth is how deep JSON may be nested.
	Depth int
}

// Why a walk ended before its end.
var (
	// ErrStopped is returned when the sink has said so.
	ErrStopped = errors.New("the sink has seen enough")
	// ErrTarget and the others are what the engine may read in another way.
	ErrTarget    = errors.New("the request target is not plain")
	ErrField     = errors.New("a header field has no name")
	ErrArgs      = errors.New("there are more arguments than the engine reads")
	ErrJSON      = errors.New("the body is no JSON that is read in one way only")
	ErrMultipart = errors.New("the body is no multipart form that is read in one way only")
	ErrXML       = errors.New("the body is no XML that is read in one way only")
)

// Walker walks through one request after the other. It is for one goroutine.
type Walker struct {
	arena  *transform.Arena
	bounds Bounds
	to     Sink
	line   []byte
	path   []byte // of the JSON member at hand
	text   string // the JSON document
	at     int    // how far it has been read
	budget int    // how many bytes of names and values are left for it
	leaves int
	counts int       // arrays
	part   part      // of the multipart form
	open   []element // elements of the XML document, from its root
}

// New returns a walker that keeps decoded values in arena, nil for one of its
// own that is never reset.
func New(arena *transform.Arena, b Bounds) *Walker {
	if arena == nil {
		arena = new(transform.Arena)
	}
	return &Walker{arena: arena, bounds: b}
}

// tell passes a value on.
func (w *Walker) tell(v Variable, name, value string) error {
	if w.to.Value(v, name, value) {
		return nil
	}
	return ErrStopped
}
