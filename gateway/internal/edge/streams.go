package edge

import (
	"net/http"
	"sync"
	"time"
)

const (
	// DefaultStreams is how many requests may be under way over HTTP/2 before each
	// connection gets only fewStreams.
	DefaultStreams = 4096
	fewStreams     = 4
	// refusalWait bounds the writing of a refusal over HTTP/2.
	refusalWait = 5 * time.Second
)

// streams counts the requests under way over HTTP/2. A client that opens no
// window lets every answer wait, however short; with a hundred streams on each of
// its connections, which cost it nothing, they would fill our memory. When there
// are many, who has four of them waits for these first.
type streams struct {
	many int

	mu  sync.Mutex
	all int
	of  map[string]int // by connection
}

func (s *streams) enter(connection string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.many && s.of[connection] >= fewStreams {
		return false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.all++
	s.of[connection]++
	return true
}

func (s *streams) leave(connection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[connection]--; s.of[connection] == 0 {
		delete(s.of, connection)
	}
}

// stream is the writer of an answer over HTTP/2.
type stream struct {
	http.ResponseWriter
	wrote bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// flush waits until the client has taken the answer, while the stream still
// counts: net/http would write the end of it when nobody counts any more. An
// answer without a body needs no window, and one of trailers alone must not be
// flushed before them.
func (s *stream) flush() {
	if s.wrote {
		// The client is gone, or its time is up; net/http ends the stream.
		_ = http.NewResponseController(s.ResponseWriter).Flush()
	}
}
