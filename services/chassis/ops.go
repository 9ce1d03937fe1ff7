package chassis

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds a readiness check: who asks every few seconds must not
// pile up checks that hang.
const readyTimeout = 2 * time.Second

// health answers whether the process is alive and ready.
type health struct {
	ready    func(context.Context) error
	draining atomic.Bool
}

func (h *health) healthz(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

func (h *health) readyz(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	if h.ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		// The reason is shown: the ops port is private.
		if err := h.ready(ctx); err != nil {
			say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
	}
	say(w, http.StatusOK, "ready")
}

// hurry asks clients to open another connection once draining has begun. A
// connection that just ends may take a request with it that was on its way;
// after "Connection: close" (GOAWAY in HTTP/2) a client sends no more on it.
func (h *health) hurry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// startOps serves the ops port; nil without one.
func startOps(c Config, h *health, failed chan<- error) (*http.Server, error) {
	if c.Ops == "" {
		return nil, nil
	}
	listeners, err := Listen(c.Ops, "--ops")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	if c.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelError),
		}))
	}
	if c.OpsHandler != nil {
		mux.Handle("/", c.OpsHandler)
	}
	s := &http.Server{Handler: hereOnly(mux), ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)}
	// A few readers poll it; a browser that was lured to it is not one of them.
	limits, err := Limits{Connections: 64}.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("ops: %w", err)
	}
	limits.apply(s)
	serve(s, listeners, Config{Limits: limits}.accept(), failed)
	if c.OnOps != nil {
		c.OnOps(listeners[0].Addr().String())
	}
	return s, nil
}

// hereOnly refuses what a browser sends to this machine in the name of a site
// that points its own name at it (DNS rebinding): on a loopback connection the
// Host must be localhost or an address. Where the port was opened to a network
// on purpose, readers come by names that we do not know.
func hereOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if (!ok || local.IP.IsLoopback()) && !literal(r.Host) {
			say(w, http.StatusMisdirectedRequest, "this port is read as localhost, or by its address")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// literal reports whether host, with or without a port, is localhost or an address.
func literal(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	_, err = netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost")
}
