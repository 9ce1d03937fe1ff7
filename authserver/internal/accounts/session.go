package accounts

import (
	"context"
	"errors"
	"time"

	"portcullis/authserver/internal/store"
)

// Session is a browser in which a person is signed in.
type Session struct {
	// Subject is what tokens call the person.
	Subject, Email string
	Verified       bool
	// AuthTime is when the password was last typed.
	AuthTime               time.Time
	Created, Seen, Expires time.Time
	hash                   [32]byte
}

// Same reports whether both are one session.
func (s Session) Same(other Session) bool { return s.hash == other.hash }

func session(n store.Session, p store.Person) Session {
	return Session{
		Subject: p.ID, Email: p.Email, Verified: !p.Verified.IsZero(), AuthTime: n.AuthTime,
		Created: n.Created, Seen: n.Seen, Expires: n.Expires, hash: n.Hash,
	}
}

// Session finds the session that a browser holds. The error is ErrNoSession or
// a fault.
func (a *Accounts) Session(ctx context.Context, text string) (Session, error) {
	n, p, err := a.session(ctx, text)
	if err != nil {
		return Session{}, err
	}
	return session(n, p), nil
}

func (a *Accounts) session(ctx context.Context, text string) (store.Session, store.Person, error) {
	hash, ok := kept(text)
	if !ok {
		return store.Session{}, store.Person{}, ErrNoSession
	}
	now := a.cfg.Now()
	n, p, err := a.db.Session(ctx, hash, now, sessionIdle)
	if errors.Is(err, store.ErrNone) {
		err = ErrNoSession
	}
	if err != nil {
		return store.Session{}, store.Person{}, err
	}
	if now.Sub(n.Seen) >= sessionSeen {
		if err := a.db.TouchSession(ctx, hash, now); err != nil {
			return store.Session{}, store.Person{}, err
		}
		n.Seen = now
	}
	return n, p, nil
}

// Sessions lists the live sessions of the person whose session text is.
func (a *Accounts) Sessions(ctx context.Context, text string) (current Session, all []Session, err error) {
	n, p, err := a.session(ctx, text)
	if err != nil {
		return Session{}, nil, err
	}
	list, err := a.db.Sessions(ctx, p.ID, a.cfg.Now(), sessionIdle)
	if err != nil {
		return Session{}, nil, err
	}
	for _, each := range list {
		all = append(all, session(each, p))
	}
	return session(n, p), all, nil
}

// SignOut ends one session, if it has not ended.
func (a *Accounts) SignOut(ctx context.Context, c Caller, text string) error {
	n, _, err := a.session(ctx, text)
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err == nil {
		err = a.db.EndSession(ctx, n.Hash)
	}
	if err != nil {
		return err
	}
	return a.record(ctx, ActionSignOut, Success, c, Facts{Subject: n.Account})
}

// SignOutEverywhere ends all sessions of the person whose session text is, and
// their tokens. The error is ErrNoSession or a fault, which may leave some of
// it done: it can be repeated while the session stands.
func (a *Accounts) SignOutEverywhere(ctx context.Context, c Caller, text string) error {
	n, _, err := a.session(ctx, text)
	if err != nil {
		return err
	}
	// Before and after: a fault before leaves the session, so that the person
	// can try again; what another session asks for in between ends too.
	if err := a.revoke(ctx, n.Account); err != nil {
		return err
	}
	if err := a.db.EndSessions(ctx, n.Account); err != nil {
		return err
	}
	if err := a.revoke(ctx, n.Account); err != nil {
		return err
	}
	return a.record(ctx, ActionSignOutAll, Success, c, Facts{Subject: n.Account})
}
