package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/internal/pages"
	"portcullis/authserver/internal/revocation"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

// purgeEvery is how often what has expired is deleted.
const purgeEvery = 10 * time.Minute

// surroundings is what every part may tell of itself.
type surroundings struct {
	events  io.Writer
	metrics prometheus.Registerer
	log     *slog.Logger
}

// parts is the service but for its listener.
type parts struct {
	db       *store.Store
	audit    *audit.Log
	ring     *keyring.Ring
	vault    io.Closer // nil for a file
	revoked  *token.Revocations
	feed     *revocation.Feed
	registry *clients.Registry
	accounts *accounts.Accounts
	handler  http.Handler
	log      *slog.Logger
}

// assemble makes the parts in the order in which they need each other. What it
// returns is to be closed, also beside an error.
func (s service) assemble(ctx context.Context, around surroundings) (*parts, error) {
	p := &parts{log: around.log}
	var err error
	if p.db, err = store.Open(ctx, s.data); err != nil {
		return p, err
	}
	if p.audit, err = audit.Open(audit.Config{Dir: auditDir(s.data)}); err != nil {
		return p, err
	}
	if err = s.openRing(ctx, p); err != nil {
		return p, err
	}
	p.revoked = token.NewLocalRevocations()
	if p.feed, err = revocation.New(ctx, revocation.Config{Store: p.db, Local: p.revoked, Log: around.log}); err != nil {
		return p, err
	}
	subjects, err := newSubjects(s.issuer, p.ring, p.revoked, around.log)
	if err != nil {
		return p, err
	}
	p.registry, err = clients.New(clients.Config{
		Policies: os.DirFS(s.policies), Env: os.LookupEnv, Store: p.db, Issuer: s.issuer, Changed: subjects.use, Metrics: around.metrics, Log: around.log,
	})
	if err != nil {
		return p, err
	}
	return p, s.openEndpoints(ctx, p, subjects, around)
}

// openRing opens the signing keys with the vault that the flags name.
func (s service) openRing(ctx context.Context, p *parts) error {
	vault, err := s.vault.open(s.data)
	if err != nil {
		return err
	}
	p.vault, _ = vault.(io.Closer)
	p.ring, err = keyring.New(keyring.Config{
		Storage: p.db, Vault: vault, Algorithm: jose.SignatureAlgorithm(s.algorithm), Terms: *s.terms, Log: p.log,
		Changed: func(c keyring.Change) {
			// In the background: the ring must not wait for a disk.
			go func() {
				if err := p.audit.Append(context.WithoutCancel(ctx), keyRecord(c)); err != nil {
					p.log.Error("a change of the signing keys could not be recorded", "error", err)
				}
			}()
		},
	})
	return err
}

func keyRecord(c keyring.Change) audit.Record {
	return audit.Record{Action: "key." + string(c.Kind), Outcome: "success", Detail: c.Algorithm + " " + c.ID}
}

// people are the pages, with what an ID token may say.
type people struct {
	*pages.Pages
	db *store.Store
}

// Person implements oauth.People.
func (p people) Person(ctx context.Context, subject string) (email string, verified bool, err error) {
	found, err := p.db.Person(ctx, subject)
	return found.Email, !found.Verified.IsZero(), err
}

// endSignIns ends all that a person has signed in to, and the tokens of it. Each
// token of a person names its sign-in, so that this ends them all; to revoke by
// subject and time would end those of a sign-in in the same second, too, with the
// new password.
func (p *parts) endSignIns(ctx context.Context, subject string) error {
	now := time.Now()
	if err := p.db.EndGrants(ctx, subject, "", now, issue.LastExpiry(now)); err != nil {
		return err
	}
	return p.feed.Sync(ctx)
}

// openPeople opens the accounts and the pages; nil when no mail can be sent,
// because then nobody can show that an address is theirs.
func (s service) openPeople(p *parts, around surroundings, postLogout func(*http.Request, string) string) (oauth.People, error) {
	if s.mail.smtp == "" {
		return nil, nil
	}
	mail, err := s.mail.config()
	if err != nil {
		return nil, err
	}
	p.accounts, err = accounts.New(accounts.Config{
		Store: p.db, Issuer: s.issuer, Mail: mail, Metrics: around.metrics, Log: around.log,
		Revoked: p.endSignIns,
		Record: func(ctx context.Context, action, outcome string, f accounts.Facts) error {
			return p.audit.Append(context.WithoutCancel(ctx), audit.Record{
				Action: action, Outcome: outcome, Subject: f.Subject, Source: f.Source, RequestID: f.RequestID, Reason: f.Reason,
			})
		},
	})
	if err != nil {
		return nil, err
	}
	made, err := pages.New(pages.Config{Accounts: p.accounts, Issuer: s.issuer, PostLogout: postLogout, Log: around.log})
	if err != nil {
		return nil, err
	}
	return people{made, p.db}, nil
}

// openEndpoints builds what the public listener serves.
func (s service) openEndpoints(ctx context.Context, p *parts, subjects *subjects, around surroundings) error {
	var server *oauth.Server
	people, err := s.openPeople(p, around, func(r *http.Request, query string) string { return server.PostLogout(r, query) })
	if err != nil {
		return err
	}
	tokens, err := issue.New(issue.Config{Issuer: s.issuer, Ring: p.ring, Revoked: p.revoked.Revoked})
	if err != nil {
		return err
	}
	hints, err := issue.NewHints(s.issuer, p.ring)
	if err != nil {
		return err
	}
	guard, err := subjects.guard(around.log)
	if err != nil {
		return err
	}
	server, err = oauth.New(oauth.Config{
		Issuer: s.issuer, Clients: p.registry, Tokens: tokens, Keys: p.ring, Signer: p.ring, Grants: p.db, Verifier: subjects, Hints: hints,
		People: people, Guard: guard, Accounts: p.db, Revocations: p.feed, Audit: p.audit, Draining: ctx.Done(),
		Rate: s.rate, Events: around.events, Metrics: around.metrics, Log: around.log,
	})
	if err != nil {
		return err
	}
	p.handler = server.Handler()
	return nil
}

// ready reports whether the service can do its work.
func (p *parts) ready(ctx context.Context) error {
	if p.ring.Signer() == nil {
		return errors.New("there is no key to sign with")
	}
	return p.db.Ready(ctx)
}

// purge deletes what has expired, now and then, until ctx ends.
func (p *parts) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		if _, err := p.db.Purge(ctx, time.Now()); err != nil && ctx.Err() == nil {
			p.log.Warn("what has expired could not be deleted; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *parts) close() error {
	var errs []error
	if p.vault != nil {
		errs = append(errs, p.vault.Close())
	}
	if p.audit != nil {
		errs = append(errs, p.audit.Close())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	return errors.Join(errs...)
}
