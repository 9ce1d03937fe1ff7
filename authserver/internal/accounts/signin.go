package accounts

import (
	"context"
	"crypto/sha256"
	"errors"

	"portcullis/authserver/internal/store"
)

// SignIn starts a session and returns what the browser keeps of it. previous
// is the session that the browser had; it ends, so that nobody who planted or
// knew it is signed in too. The error is ErrRefused, ErrUnverified, *WaitError,
// ErrBusy or a fault.
func (a *Accounts) SignIn(ctx context.Context, c Caller, email, password, previous string) (string, Session, error) {
	address, ok := NormalizeEmail(email)
	if !ok {
		address = email // nobody has it, and the path stays the same
	}
	p, err := a.db.PersonByEmail(ctx, address)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return "", Session{}, err
	}
	if err := a.check(ctx, c, ActionSignIn, address, p, password); err != nil {
		return "", Session{}, err
	}
	if p.Verified.IsZero() {
		if err := a.record(ctx, ActionSignIn, Failure, c, Facts{Subject: p.ID, Reason: "unverified"}); err != nil {
			return "", Session{}, err
		}
		return "", Session{}, ErrUnverified
	}
	if err := a.renew(ctx, &p, password); err != nil {
		return "", Session{}, err
	}
	return a.start(ctx, c, p, previous)
}

// check reports whether the password is p's, who signs in as address and has no
// ID if there is no such person. An unknown address and a wrong password take
// the same steps. It counts and records failures; the action is what the
// password is asked for.
func (a *Accounts) check(ctx context.Context, c Caller, action, address string, p store.Person, password string) error {
	known := a.hashes.dummy
	if p.ID != "" {
		var err error
		if known, err = parseHash(p.Password); err != nil {
			return err
		}
	}
	key := attempt{sha256.Sum256([]byte(address)), c.Source}
	if err := a.wait(ctx, c, action, key, p.ID); err != nil {
		return err
	}
	done, err := a.hashes.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	// Those who came at once and waited for a turn have not been counted.
	if err := a.wait(ctx, c, action, key, p.ID); err != nil {
		return err
	}
	password = normalizePassword(password)
	if !known.matches(password) {
		a.throttle.Failed(key, a.cfg.Now())
		if err := a.record(ctx, action, Failure, c, Facts{Subject: p.ID, Reason: "password"}); err != nil {
			return err
		}
		return ErrRefused
	}
	a.throttle.Succeeded(key)
	return nil
}

// renew hashes a password that has just been checked anew if its hash costs
// something else than hashes do now. When there is no turn for it, the next
// sign-in will do.
func (a *Accounts) renew(ctx context.Context, p *store.Person, password string) error {
	known, err := parseHash(p.Password)
	if err != nil || known.cost == currentCost() {
		return err
	}
	hashed, err := a.hashes.hash(ctx, normalizePassword(password))
	if errors.Is(err, ErrBusy) {
		return nil
	}
	if err == nil {
		err = a.db.Rehash(ctx, p.ID, p.Password, hashed)
	}
	if err != nil {
		return err
	}
	p.Password = hashed
	return nil
}

// wait refuses who has to wait.
func (a *Accounts) wait(ctx context.Context, c Caller, action string, key attempt, subject string) error {
	after := a.throttle.Wait(key, a.cfg.Now())
	if after == 0 {
		return nil
	}
	if err := a.record(ctx, action, Failure, c, Facts{Subject: subject, Reason: "too_many"}); err != nil {
		return err
	}
	return &WaitError{After: after}
}

// start starts a session of p, whose password has just been checked.
func (a *Accounts) start(ctx context.Context, c Caller, p store.Person, previous string) (string, Session, error) {
	now := a.cfg.Now()
	text, hash := newSecret()
	old, _ := kept(previous)
	n := store.Session{Hash: hash, Account: p.ID, Created: now, Seen: now, Expires: now.Add(sessionLife), AuthTime: now}
	if err := a.db.AddSession(ctx, n, p.Password, old); err != nil {
		if errors.Is(err, store.ErrNone) {
			err = ErrRefused // the password was changed a moment ago
		}
		return "", Session{}, err
	}
	if err := a.record(ctx, ActionSignIn, Success, c, Facts{Subject: p.ID}); err != nil {
		return "", Session{}, errors.Join(err, a.db.EndSession(ctx, hash))
	}
	return text, session(n, p), nil
}
