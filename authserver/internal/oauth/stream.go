package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"portcullis/authserver/internal/revocation"
	"portcullis/authserver/token"
	"portcullis/services/problem"
)

const (
	// beatEvery is how often a stream without news says that it lives.
	beatEvery = 2 * time.Second
	// writeTimeout ends a stream whose reader does not read; it resumes where it
	// was.
	writeTimeout = 10 * time.Second
	// maxStreams bounds how many listen at once: each verifier is one. Of one
	// client there are at most maxStreamsEach, or it could keep all others deaf
	// until they believe nobody any more.
	maxStreams     = 1024
	maxStreamsEach = 256
)

// listRevocations answers with all that is revoked, or with a stream of it: the
// entries after the cursor, and each new one as it comes. A guard has admitted the
// caller.
func (s *Server) listRevocations(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		state, entries, _ := s.cfg.Revocations.Since(0)
		if entries == nil {
			entries = []token.Revocation{}
		}
		writeJSON(w, http.StatusOK, struct {
			revocation.State
			Entries []token.Revocation `json:"entries"`
		}{state, entries})
		return
	}
	var client string
	if p, ok := token.FromContext(r.Context()); ok {
		client = p.Client
	}
	if !s.streams.enter(client) {
		problem.Write(w, r, problem.New(problem.Unavailable, "Too many listen already.").With("Retry-After", "5"), requestID(r))
		return
	}
	defer s.streams.leave(client)
	s.follow(w, r)
}

// seats are those of who listens, by client.
type seats struct {
	mu    sync.Mutex
	taken map[string]int
	all   int
}

func (s *seats) enter(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.taken[client] >= maxStreamsEach {
		return false
	}
	s.taken[client]++
	s.all++
	return true
}

func (s *seats) leave(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.taken[client]--; s.taken[client] == 0 {
		delete(s.taken, client)
	}
}

// follow writes the stream until its reader goes, its token expires or this
// process drains. Its reader comes back with a newer token and loses nothing.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	out := stream{w: w, control: http.NewResponseController(w)}
	// The server's bounds are for requests that end.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		s.log.Warn("a stream cannot outlive the server's read timeout", "error", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	expiry := time.NewTimer(time.Minute)
	defer expiry.Stop()
	if p, ok := token.FromContext(r.Context()); ok {
		expiry.Reset(p.Expires.Sub(s.now()))
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()

	state, entries, changed := s.cfg.Revocations.Since(0)
	after := cursor(r, state)
	out.send("state", "", state)
	for first := true; ; first = false {
		for _, e := range entries {
			if e.Seq > after {
				out.send("revoked", fmt.Sprintf("%s:%d", state.Epoch, e.Seq), e)
				after = e.Seq
			}
		}
		if first {
			// The backlog ends here: entries that have expired leave no trace by which
			// a reader could tell.
			out.send("beat", "", state)
		}
		if out.flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			out.send("beat", "", revocation.State{Epoch: state.Epoch, Seq: state.Seq})
		case <-expiry.C:
			return
		case <-s.cfg.Draining:
			return
		case <-r.Context().Done():
			return
		}
		state, entries, changed = s.cfg.Revocations.Since(after)
	}
}

// cursor is the number after which the reader wants to go on; 0, the beginning,
// if it comes from nowhere, from another epoch, or from beyond the end: a backup
// was restored.
func cursor(r *http.Request, state revocation.State) int64 {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	of, number, _ := strings.Cut(last, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if of != state.Epoch || err != nil || seq < 0 || seq > state.Seq {
		return 0
	}
	return seq
}

// stream writes server-sent events (the HTML standard, section 9.2).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *stream) send(event, id string, data any) {
	text, err := json.Marshal(data)
	if s.err != nil || err != nil {
		return
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // without it, the server's own bound holds
	if id != "" {
		_, s.err = fmt.Fprintf(s.w, "id: %s\n", id)
	}
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, text)
	}
}

func (s *stream) flush() error {
	if s.err != nil {
		return s.err
	}
	return s.control.Flush()
}
