// Package booking is the Booking UI: the pages on which guests search, book,
// pay and look after their bookings. It keeps who is signed in, with the tokens
// on the server and nothing but a random cookie in the browser, and asks the
// other services for everything else, each with the guest's exchanged token.
// Every page works without script.
package booking

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httprate"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/store"
	"portcullis/services/internal/wire"
)

//go:embed openapi.yaml
var contract []byte

// Contract is the OpenAPI document of what other services ask. Pages are for
// people and not in it.
func Contract() []byte { return slices.Clone(contract) }

const (
	// renewers is how many sessions can renew their tokens at once; more than two
	// that share a lock wait for each other, and nothing else.
	renewers = 256
	// sweepEvery is how often ended sessions are forgotten.
	sweepEvery = time.Minute
	// attempts is how often a guest may try to book in a minute. Nobody needs
	// more, but who tries out stolen cards does.
	attempts = 10
)

// Config is what the service needs.
type Config struct {
	// Path is the service's own SQLite file, made when it is not there.
	Path string
	// PublicURL is what browsers call us: https://HOST[:PORT], no path.
	PublicURL string
	// Issuer is the token service's URL, ClientID and Secret who we are there.
	Issuer   string
	ClientID string
	Secret   func() (string, error)
	// HTTP reaches the token service.
	HTTP *http.Client
	// The neighbours. Search and Reporting are also asked for nobody in
	// particular, with tokens of our own.
	Search, Reservations, Users, Reporting, Payments *peer.Client
	// Guard lets in who has a token for this service.
	Guard *token.Guard
	Log   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is the running service. Its zero value is not usable.
type Service struct {
	config   Config
	store    *store.Store
	signer   *signer
	page     *template.Template
	assets   *assets
	policy   string
	cross    *http.CrossOriginProtection
	tries    *httprate.RateLimiter
	renewing [renewers]sync.Mutex
}

// New opens the database. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Search == nil || c.Reservations == nil || c.Users == nil || c.Reporting == nil || c.Payments == nil {
		return nil, errors.New("booking needs clients of search, reservations, users, reporting and payments")
	}
	if c.Guard == nil || c.Log == nil || c.Secret == nil || c.HTTP == nil || c.ClientID == "" {
		return nil, errors.New("booking needs a guard, a log, and who it is at the token service")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if _, err := origin(c.PublicURL, true); err != nil {
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	issuer, err := origin(c.Issuer, false)
	if err != nil {
		return nil, fmt.Errorf("the issuer: %w", err)
	}
	s := &Service{
		config: c,
		signer: &signer{config: c},
		cross:  http.NewCrossOriginProtection(),
		policy: policy(issuer),
		tries:  httprate.NewRateLimiter(attempts, time.Minute),
	}
	// Browsers that do not say where a request comes from say which origin they
	// show; the gateway may have changed what we would compare it with.
	if err := s.cross.AddTrustedOrigin(c.PublicURL); err != nil {
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.page, err = s.parse(); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, c.Path, migrations()); err != nil {
		return nil, fmt.Errorf("start booking: %w", err)
	}
	return s, nil
}

// origin is the origin of an https URL, which may have a path unless bare.
func origin(raw string, bare bool) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || bare && u.Path != "" {
		return "", fmt.Errorf("%q is not an https URL of a host alone: cookies of the pages are for https", raw)
	}
	return "https://" + u.Host, nil
}

// The paths that others name: the token service's policy holds the first two.
const (
	callbackPath  = "/signin/callback"
	signedOutPath = "/signed-out"
	signInPath    = "/signin"
	signOutPath   = "/signout"
	bookingsPath  = "/bookings"
	profilePath   = "/profile"
	removePath    = "/profile/remove"
	removalPath   = "/profile/removal"
)

// Handler serves the pages to the gateway, and guests' data to users.
func (s *Service) Handler() http.Handler {
	r := wire.Router()
	s.data(r)
	r.Group(func(r chi.Router) {
		r.Use(s.config.Guard.Require(hotel.ScopePagesServe), s.secure)
		r.Get(assetsPath+"{name}", s.asset)
		r.Get("/art/{name}", s.art)
		s.pages(r)
	})
	// What nothing else serves is a page too; the gateway alone may see it.
	stranger := s.config.Guard.Require(hotel.ScopePagesServe)(s.secure(s.serve(s.nowhere)))
	r.NotFound(stranger.ServeHTTP)
	r.MethodNotAllowed(stranger.ServeHTTP)
	return r
}

func (s *Service) pages(r chi.Router) {
	r.Get("/", s.serve(s.home))
	r.Get("/search", s.serve(s.search))
	r.Get("/hotels/{hotel}", s.serve(s.hotel))
	r.Get("/book/{hotel}", s.serve(s.bookForm))
	r.Post("/book/{hotel}", s.change(s.book))
	r.Get(bookingsPath, s.serve(s.bookings))
	r.Get("/bookings/{reservation}", s.serve(s.booking))
	r.Get("/bookings/{reservation}/cancel", s.serve(s.cancelForm))
	r.Post("/bookings/{reservation}/cancel", s.change(s.cancel))
	r.Get("/bookings/{reservation}/receipt", s.serve(s.receipt))
	r.Get(profilePath, s.serve(s.profile))
	r.Post(profilePath, s.change(s.saveProfile))
	r.Get("/profile/export", s.serve(s.export))
	r.Get(removePath, s.serve(s.removeForm))
	r.Post(removePath, s.change(s.remove))
	r.Get(removalPath, s.serve(s.removal))
	r.Get("/verify/{document}/{code}", s.serve(s.verify))
	r.Get(signInPath, s.serve(s.signIn))
	r.Get(callbackPath, s.serve(s.callback))
	r.Get("/signed-in", s.serve(s.signedIn))
	r.Post(signOutPath, s.change(s.signOut))
	r.Get(signedOutPath, s.serve(s.signedOut))
}

// Ready reports whether the service can work. That neighbours are away is no
// reason to say no: pages say so better.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Run forgets sessions that have ended, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.config.Log.Error("ended sessions were not forgotten", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}

// Close closes the database.
func (s *Service) Close() error { return s.store.Close() }
