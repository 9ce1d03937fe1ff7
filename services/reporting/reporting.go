// Package reporting is the service that sets documents: receipts, confirmations
// and monthly statements, each a PDF. It owns what it has set, and the key by
// which anybody can have a document proved genuine. Setting is the one thing
// here that costs a processor, so it is bounded, and scales by itself.
package reporting

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/store"
	"portcullis/services/internal/wire"
)

//go:embed openapi.yaml
var contract []byte

// Contract is the service's OpenAPI document.
func Contract() []byte { return slices.Clone(contract) }

const (
	// defaultWait is how long a document waits for its turn: shorter than a
	// caller's patience, long enough for a burst of a few dozen.
	defaultWait = 2 * time.Second
	// maxVerify bounds the address that stands on every document, in bytes; it
	// must fit into a line and a QR code that a telephone can read.
	maxVerify = 120
)

// Config is what the service needs.
type Config struct {
	// Path is the service's own SQLite file, made when it is not there.
	Path string
	// Verify is the address of the page where a document is proved genuine;
	// /DOCUMENT/CODE is added to it.
	Verify string
	// Guard lets in who has a token for this service.
	Guard *token.Guard
	Log   *slog.Logger
	// Renders is how many documents are set at once; 0 is one a processor.
	Renders int
	// Wait is how long a document waits for its turn; 0 is two seconds.
	Wait time.Duration
	// Now is the clock; nil is time.Now. It tells when a document was stored,
	// and has no part in what stands on it.
	Now func() time.Time
}

// Service is the running service. Its zero value is not usable.
type Service struct {
	config Config
	store  *store.Store
	secret secret
	turns  chan struct{}
}

// New opens the database, makes the key when there is none, and reads the
// fonts. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Guard == nil || c.Log == nil {
		return nil, errors.New("reporting needs a guard and a log")
	}
	if err := checkVerify(c.Verify); err != nil {
		return nil, err
	}
	c.Verify = strings.TrimSuffix(c.Verify, "/")
	if c.Renders <= 0 {
		c.Renders = runtime.GOMAXPROCS(0)
	}
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if _, err := typefaces(); err != nil {
		return nil, fmt.Errorf("start reporting: %w", err)
	}
	opened, err := store.Open(ctx, c.Path, migrations())
	if err != nil {
		return nil, fmt.Errorf("start reporting: %w", err)
	}
	key, err := keep(ctx, opened)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start reporting: %w", err), opened.Close())
	}
	return &Service{config: c, store: opened, secret: key, turns: make(chan struct{}, c.Renders)}, nil
}

// checkVerify reports whether an address can stand on a document.
func checkVerify(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || clean(address) != address {
		return fmt.Errorf("the address for proofs, %.200q, must be https://HOST/PATH", address)
	}
	if len(address) > maxVerify {
		return fmt.Errorf("the address for proofs has %d bytes: at most %d fit on a document", len(address), maxVerify)
	}
	return nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	read := s.config.Guard.Require(hotel.ScopeDocumentsRead)
	write := s.config.Guard.Require(hotel.ScopeDocumentsWrite)
	export := s.config.Guard.Require(hotel.ScopeGuestExport)
	erase := s.config.Guard.Require(hotel.ScopeGuestErase)
	serve := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return wire.Handler(s.config.Log, f)
	}
	r := wire.Router()
	r.With(write).Post(hotel.PathDocuments, serve(s.create))
	r.With(read).Get(hotel.PathDocument, serve(s.show))
	r.With(read).Get(hotel.PathGuestDocuments, serve(s.list))
	r.With(read).Get(hotel.PathProof, serve(s.prove))
	r.With(export).Get(hotel.PathGuestData, serve(s.export))
	r.With(erase).Delete(hotel.PathGuestData, serve(s.erase))
	return r
}

// Ready reports whether the service can work.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database.
func (s *Service) Close() error { return s.store.Close() }
