package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/pages"
	"portcullis/authserver/internal/revocation"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

// Clients tells who a client is. Any error but clients.ErrRefused is a fault.
type Clients interface {
	Authenticate(ctx context.Context, p clients.Proof) (issue.Client, error)
	// Client finds one that need not prove itself, unless it was disabled.
	Client(ctx context.Context, name string) (client issue.Client, known bool, err error)
}

// Tokens makes tokens. A refusal is an *issue.Error.
type Tokens interface {
	ClientCredentials(ctx context.Context, req issue.Request) (issue.Token, error)
	Exchange(ctx context.Context, req issue.ExchangeRequest) (issue.Token, error)
	ForSignIn(ctx context.Context, req issue.SignInRequest) (issue.Token, error)
	IDToken(client issue.Client, s issue.SignIn, who issue.Person) (string, error)
}

// Keys shows the public keys.
type Keys interface {
	JWKSJSON() []byte
	// Algorithm is that of the key that signs.
	Algorithm() string
}

// Grants keeps sign-ins, their codes and their refresh tokens; see package store
// for what each promises.
type Grants interface {
	AddCode(ctx context.Context, hash [sha256.Size]byte, c store.Code) error
	Code(ctx context.Context, hash [sha256.Size]byte, now time.Time) (store.Code, error)
	RedeemCode(ctx context.Context, hash [sha256.Size]byte, now time.Time, check func(store.Code) error, refresh *store.Refresh) (store.Grant, error)
	RotateRefresh(ctx context.Context, hash [sha256.Size]byte, now time.Time, check func(store.Grant) error, next store.Refresh) (store.Grant, error)
	RefreshGrant(ctx context.Context, hash [sha256.Size]byte, now time.Time) (store.Grant, error)
	EndGrant(ctx context.Context, id string, now, until time.Time) error
	EndGrants(ctx context.Context, subject, client string, now, until time.Time) error
}

// Accounts forgets people; see package store.
type Accounts interface {
	EraseAccount(ctx context.Context, subject string, now, until time.Time) (erased bool, err error)
}

// Verifier checks a token. One that is not valid is a *problem.Problem.
type Verifier interface {
	Verify(ctx context.Context, raw string, now time.Time) (*token.Principal, error)
}

// Hints reads ID tokens of ours, expired ones too: who signed in, and where.
type Hints interface {
	Hint(raw string) (subject, client string, err error)
}

// People are the pages and sessions of those who sign in; see package pages.
type People interface {
	// Handler serves the pages themselves.
	Handler() http.Handler
	Current(r *http.Request) (pages.Session, bool)
	// SignIn asks who it is, and comes back with query.
	SignIn(w http.ResponseWriter, r *http.Request, query string)
	// SignOut ends the session; SignedOut says so and goes on to next.
	SignOut(w http.ResponseWriter, r *http.Request) error
	SignedOut(w http.ResponseWriter, r *http.Request, next string)
	// ConfirmSignOut asks first, and comes back to PostLogout with query.
	ConfirmSignOut(w http.ResponseWriter, r *http.Request, query string)
	Error(w http.ResponseWriter, r *http.Request, status int, title, text, what string)
	// Person is what an ID token may say of a subject.
	Person(ctx context.Context, subject string) (email string, verified bool, err error)
}

// Audit keeps what happened, durably, before anybody is answered.
type Audit interface {
	Append(ctx context.Context, r audit.Record) error
	Head() audit.Head
}

// Config is what a server is made of.
type Config struct {
	// Issuer is our URL, exactly as tokens name it: https, host, port, nothing
	// more, so that the well-known paths are found below it.
	Issuer  string
	Clients Clients
	Tokens  Tokens
	Keys    Keys
	Signer  issue.Signer
	Grants  Grants
	// Verifier checks tokens that clients bring, for any audience.
	Verifier Verifier
	Hints    Hints
	// People may be nil: then nobody signs in here, and there is no authorization
	// endpoint.
	People People
	// Guard lets in clients that have a token for ourselves.
	Guard       *token.Guard
	Accounts    Accounts
	Revocations *revocation.Feed
	Audit       Audit
	// Draining, once closed, ends the streams; nil never does.
	Draining <-chan struct{}
	// Rate is how many requests one client may make from one source address in
	// ten seconds; default 100. One source may make ten times as many for all its
	// clients together.
	Rate int
	// Events gets one JSON line for each request; nil for none. It must not block.
	Events io.Writer
	// Metrics registers the server's own; nil for none.
	Metrics prometheus.Registerer
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (c *Config) complete() error {
	if c.Clients == nil || c.Tokens == nil || c.Keys == nil || c.Signer == nil || c.Grants == nil || c.Verifier == nil || c.Hints == nil ||
		c.Guard == nil || c.Accounts == nil || c.Revocations == nil || c.Audit == nil {
		return errors.New("the token endpoints need clients, tokens, keys, a signer, grants, a verifier, hints, a guard, accounts, revocations and an audit log")
	}
	if err := checkIssuer(c.Issuer); err != nil {
		return err
	}
	if c.Rate < 0 {
		return fmt.Errorf("the rate %d of token requests is negative, and nothing is unlimited here", c.Rate)
	}
	if c.Rate == 0 {
		c.Rate = defaultRate
	}
	if c.Events == nil {
		c.Events = io.Discard
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// checkIssuer refuses an issuer that RFC 8414 2 does not allow, or whose
// metadata we would not serve where RFC 8414 3 looks for them.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("the issuer %q is not an https URL: write for instance https://localhost:8444", issuer)
	case u.Scheme+"://"+u.Host != issuer:
		return fmt.Errorf("the issuer %q has more than scheme, host and port: write %q", issuer, u.Scheme+"://"+u.Host)
	}
	return nil
}
