// Package control is the socket on which a running gateway is told to reload and
// asked what it has decided. It changes state, which has no business on a TCP
// port: a Unix socket is reached by no browser and by no other user.
package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/gateway/internal/hits"
	"portcullis/gateway/internal/recent"
	"portcullis/gateway/internal/reload"
)

// Bounds on one exchange. A reload is answered when the policy's tests have run.
const (
	readMost  = 10 * time.Second
	writeMost = 10 * time.Minute
	bodyMost  = 4 << 10
)

// Config is what a Server needs.
type Config struct {
	// Path is where the socket is made.
	Path     string
	Reloader *reload.Reloader
	// Policies is the folder that the reloader reads; mistakes are shown below it.
	Policies string
	// Recent remembers what was decided; nil when nothing is remembered.
	Recent *recent.Ring
	// Hits counts what the rules of the WAF find; nil counts nothing.
	Hits *hits.Table
	Log  *slog.Logger
}

// Server is a control socket.
type Server struct {
	reloader *reload.Reloader
	policies string
	recent   *recent.Ring
	top      *hits.Table
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
}

// Open makes the socket; Serve answers on it.
func Open(c Config) (*Server, error) {
	if c.Path == "" || c.Reloader == nil || c.Policies == "" || c.Log == nil {
		return nil, errors.New("control: path, reloader, policies and log are all required")
	}
	policies, err := filepath.Abs(c.Policies) // the client may be in another folder
	if err != nil {
		return nil, err
	}
	s := &Server{reloader: c.Reloader, policies: policies, recent: c.Recent, top: c.Hits, log: c.Log}
	if s.listener, err = listen(c.Path, c.Log); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: s.handler(), ReadTimeout: readMost, WriteTimeout: writeMost, MaxHeaderBytes: bodyMost,
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the control socket: %w", err)
	}
	return nil
}

// Close ends all connections and removes the socket.
func (s *Server) Close() error { return errors.Join(s.http.Close(), closed(s.listener.Close())) }

// closed is err unless it says that there was nothing left to close.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) handler() http.Handler {
	mux := chi.NewRouter()
	mux.Post("/reload", s.reload)
	mux.Get("/decisions", s.decisions)
	mux.Get("/decisions/{id}", s.decision)
	mux.Get("/waf/hits", s.hits)
	mux.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "there are POST /reload, GET /decisions, GET /decisions/ID and GET /waf/hits")
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusMethodNotAllowed, "there are POST /reload, GET /decisions, GET /decisions/ID and GET /waf/hits")
	})
	return mux
}
