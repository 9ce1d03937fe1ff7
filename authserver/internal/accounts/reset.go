package accounts

import (
	"context"
	"crypto/sha256"
	"errors"

	"portcullis/authserver/internal/store"
)

// RequestReset mails a link for choosing another password, if there is an
// account with this address; the caller does not learn whether. The error is
// *InvalidError or a fault.
func (a *Accounts) RequestReset(ctx context.Context, c Caller, email string) error {
	if err := a.send(ctx, email, store.PurposeReset); err != nil {
		return err
	}
	return a.record(ctx, ActionRequestReset, Success, c, Facts{})
}

// ResetEmail is the address that a link is for; it uses nothing up. The error
// is ErrLink or a fault.
func (a *Accounts) ResetEmail(ctx context.Context, token string) (string, error) {
	return a.linkEmail(ctx, token, store.PurposeReset)
}

// Reset sets the password by a link, once, and ends every session and token of
// the person: who had the old password is out. The error is ErrLink,
// *InvalidError, ErrBusy or a fault.
func (a *Accounts) Reset(ctx context.Context, c Caller, token, password string) error {
	hash, ok := kept(token)
	if !ok {
		return ErrLink
	}
	p, err := a.db.MailTokenPerson(ctx, hash, store.PurposeReset, a.cfg.Now())
	if errors.Is(err, store.ErrNone) {
		if err := a.record(ctx, ActionReset, Failure, c, Facts{Reason: "link"}); err != nil {
			return err
		}
		return ErrLink
	}
	if err != nil {
		return err
	}
	password = normalizePassword(password)
	if wrong := checkPassword(password, p.Email); wrong != "" {
		return &InvalidError{Password: wrong}
	}
	hashed, err := a.hashes.hash(ctx, password)
	if err != nil {
		return err
	}
	// Before and after: a fault before leaves the link good for another try,
	// and what a session that is about to end asks for in between ends too.
	if err := a.revoke(ctx, p.ID); err != nil {
		return err
	}
	if p, err = a.db.Reset(ctx, hash, hashed, a.cfg.Now()); err != nil {
		return link(err)
	}
	if err := a.revoke(ctx, p.ID); err != nil {
		return err
	}
	a.throttle.Succeeded(attempt{sha256.Sum256([]byte(p.Email)), c.Source})
	return a.record(ctx, ActionReset, Success, c, Facts{Subject: p.ID})
}

// ChangePassword sets the password of the person whose session text is, who
// types the current one as well: an unlocked browser is not enough. Their other
// sessions end, and their tokens. The error is ErrNoSession, ErrRefused,
// *InvalidError, *WaitError, ErrBusy or a fault.
func (a *Accounts) ChangePassword(ctx context.Context, c Caller, text, current, password string) error {
	n, p, err := a.session(ctx, text)
	if err != nil {
		return err
	}
	password = normalizePassword(password)
	if wrong := checkPassword(password, p.Email); wrong != "" {
		return &InvalidError{Password: wrong}
	}
	if err := a.check(ctx, c, ActionChangePassword, p.Email, p, current); err != nil {
		return err
	}
	hashed, err := a.hashes.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := a.revoke(ctx, p.ID); err != nil { // before and after, as in Reset
		return err
	}
	err = a.db.ChangePassword(ctx, p.ID, p.Password, hashed, n.Hash, a.cfg.Now())
	if errors.Is(err, store.ErrNone) {
		return ErrRefused // another window was faster
	}
	if err != nil {
		return err
	}
	if err := a.revoke(ctx, p.ID); err != nil {
		return err
	}
	return a.record(ctx, ActionChangePassword, Success, c, Facts{Subject: p.ID})
}
