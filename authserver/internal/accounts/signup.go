package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"portcullis/authserver/internal/store"
)

// SubjectPrefix begins what tokens call a person, and nobody else.
const SubjectPrefix = "u-"

// SignUp makes an account and mails its address. Whether there is one already
// nobody learns but who reads the mail. The error is *InvalidError, ErrBusy or
// a fault.
func (a *Accounts) SignUp(ctx context.Context, c Caller, email, password string) error {
	password = normalizePassword(password)
	address, ok := NormalizeEmail(email)
	var invalid InvalidError
	if !ok {
		invalid.Email = "Type an e-mail address, such as name@example.com."
	}
	if invalid.Password = checkPassword(password, address); invalid != (InvalidError{}) {
		return &invalid
	}
	hashed, err := a.hashes.hash(ctx, password)
	if err != nil {
		return err
	}
	now := a.cfg.Now()
	err = a.db.SignUp(ctx,
		store.Person{ID: SubjectPrefix + strings.ToLower(rand.Text()), Email: address, Password: hashed, Created: now},
		a.mail(address, store.PurposeSignUp))
	if err != nil {
		return err
	}
	a.mailWaits()
	return a.record(ctx, ActionSignUp, Success, c, Facts{})
}

// SendVerification mails the link that confirms an address once more, if there
// is an account that waits for it; the caller does not learn whether.
func (a *Accounts) SendVerification(ctx context.Context, email string) error {
	return a.send(ctx, email, store.PurposeVerify)
}

func (a *Accounts) send(ctx context.Context, email string, purpose store.Purpose) error {
	address, ok := NormalizeEmail(email)
	if !ok {
		return &InvalidError{Email: "Type an e-mail address, such as name@example.com."}
	}
	if err := a.db.AddMail(ctx, a.mail(address, purpose)); err != nil {
		return err
	}
	a.mailWaits()
	return nil
}

// VerifyEmail is the address that a link confirms; it uses nothing up, since
// scanners follow the links in mails too. The error is ErrLink or a fault.
func (a *Accounts) VerifyEmail(ctx context.Context, token string) (string, error) {
	return a.linkEmail(ctx, token, store.PurposeVerify)
}

func (a *Accounts) linkEmail(ctx context.Context, token string, purpose store.Purpose) (string, error) {
	hash, ok := kept(token)
	if !ok {
		return "", ErrLink
	}
	p, err := a.db.MailTokenPerson(ctx, hash, purpose, a.cfg.Now())
	return p.Email, link(err)
}

// link makes ErrLink of ErrNone.
func link(err error) error {
	if errors.Is(err, store.ErrNone) {
		return ErrLink
	}
	return err
}

// Verify confirms the address of an account and signs its owner in. It wants
// the password beside the link: somebody may have signed up with an address
// that is not theirs and wait for its owner to click, who would then use an
// account whose password a stranger knows. previous is the session that the
// browser had, if any. The error is ErrLink, ErrRefused, *WaitError, ErrBusy or
// a fault.
func (a *Accounts) Verify(ctx context.Context, c Caller, token, password, previous string) (string, Session, error) {
	hash, ok := kept(token)
	if !ok {
		return "", Session{}, ErrLink
	}
	p, err := a.db.MailTokenPerson(ctx, hash, store.PurposeVerify, a.cfg.Now())
	if err != nil {
		return "", Session{}, link(err)
	}
	if err := a.check(ctx, c, ActionVerify, p.Email, p, password); err != nil {
		return "", Session{}, err
	}
	if p, err = a.db.Verify(ctx, hash, p.Password, a.cfg.Now()); err != nil {
		return "", Session{}, link(err)
	}
	if err := a.record(ctx, ActionVerify, Success, c, Facts{Subject: p.ID}); err != nil {
		return "", Session{}, err
	}
	return a.start(ctx, c, p, previous)
}
