// Package accounts knows the people who sign in: who they are, whether their
// address is theirs, their passwords and their sessions. It assumes that
// somebody guesses passwords all day, wants to learn who has an account here,
// reads mails before the person does, and would be glad to keep the owner out.
// It shows nothing and speaks no HTTP.
package accounts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/backoff"
	"portcullis/authserver/internal/store"
)

const (
	// sessionLife is how long a session lasts at most: a working day.
	sessionLife = 12 * time.Hour
	// sessionIdle ends a session that was forgotten in a lobby.
	sessionIdle = 2 * time.Hour
	// sessionSeen is how exactly it is kept when a session was used: each note
	// of it is a write.
	sessionSeen = time.Minute
	// verifyLife is how long an address can be confirmed: people read mail the
	// next day.
	verifyLife = 24 * time.Hour
	// resetLife is shorter: the link is as good as the password.
	resetLife = time.Hour
)

// Config is what accounts are made of.
type Config struct {
	Store *store.Store
	// Issuer is our URL; links in mails begin with it.
	Issuer string
	Mail   MailConfig
	// Revoked makes the tokens of a subject end; called when a password is set
	// and when a person signs out everywhere. Nil revokes nothing.
	Revoked func(ctx context.Context, subject string) error
	// Record keeps what was done; what cannot be recorded fails. Nil records
	// nothing.
	Record func(ctx context.Context, action, outcome string, facts Facts) error
	// Metrics registers the accounts' own; nil for none.
	Metrics prometheus.Registerer
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
	// Now is the clock; nil for the real one.
	Now func() time.Time
}

// Caller is on whose behalf something is done.
type Caller struct {
	// Source is the address it came from, as limits see it.
	Source    netip.Addr
	RequestID string
}

// Accounts does what people can do. It is safe for concurrent use.
type Accounts struct {
	cfg      Config
	db       *store.Store
	hashes   *hasher
	throttle *backoff.Table[attempt]
	mailer   *mailer
	wake     chan struct{} // a mail waits
	done     *prometheus.CounterVec
	mails    *prometheus.CounterVec
}

// attempt is who tries a password and on whom. The address is hashed, so that
// no list of people lies in memory, and every key has one size.
type attempt struct {
	email  [sha256.Size]byte
	source netip.Addr
}

// New returns the accounts in a store. Run sends their mails.
func New(cfg Config) (*Accounts, error) {
	if cfg.Store == nil {
		return nil, errors.New("accounts need a store")
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" {
		return nil, fmt.Errorf("the issuer %q is not an https URL: links in mails begin with it", cfg.Issuer)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Accounts{cfg: cfg, db: cfg.Store, hashes: newHasher(), wake: make(chan struct{}, 1)}
	if a.mailer, err = newMailer(cfg.Mail, issuer); err != nil {
		return nil, err
	}
	if a.throttle, err = backoff.New[attempt](backoff.Config{}); err != nil {
		return nil, err
	}
	return a, a.register(cfg.Metrics)
}

func (a *Accounts) register(metrics prometheus.Registerer) error {
	a.done = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authserver_account_actions_total",
		Help: "What people did with their accounts, by outcome.",
	}, []string{"action", "outcome"})
	a.mails = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authserver_mails_total",
		Help: "Tries to send a mail, by result: sent, nobody (no such account, or nothing to tell it), failed, given_up.",
	}, []string{"result"})
	if metrics == nil {
		return nil
	}
	if err := errors.Join(metrics.Register(a.done), metrics.Register(a.mails)); err != nil {
		return fmt.Errorf("register the metrics of the accounts: %w", err)
	}
	return nil
}
