package accounts

import (
	"context"
	"errors"
	"time"

	"portcullis/authserver/internal/store"
	"portcullis/services/mail"
)

const (
	// mailLife is how long a mail is tried: people ask again the next day.
	mailLife = 24 * time.Hour
	// mailFirstWait is the wait after the first try; it doubles up to
	// mailMostWait.
	mailFirstWait = 10 * time.Second
	mailMostWait  = 30 * time.Minute
	// mailPoll is how often the outbox is looked at when nobody says that a
	// mail waits: for later tries, and for mails that another process put there.
	mailPoll = 5 * time.Second
)

// mail is a mail for the outbox.
func (a *Accounts) mail(address string, purpose store.Purpose) store.Mail {
	now := a.cfg.Now()
	return store.Mail{Address: address, Purpose: purpose, Created: now, Expires: now.Add(mailLife)}
}

// mailWaits wakes Run. It never blocks: a page does not wait for a mail server.
func (a *Accounts) mailWaits() {
	select {
	case a.wake <- struct{}{}:
	default: // it has been told
	}
}

// Run sends the mails of the outbox until ctx ends. Every mail is sent at least
// once, or tried for a day.
func (a *Accounts) Run(ctx context.Context) {
	poll := time.NewTicker(mailPoll)
	defer poll.Stop()
	for {
		a.sendAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-poll.C:
		}
	}
}

// sendAll sends every mail that is due.
func (a *Accounts) sendAll(ctx context.Context) {
	for ctx.Err() == nil {
		m, err := a.db.TakeMail(ctx, a.cfg.Now(), mailWait)
		if err != nil {
			if !errors.Is(err, store.ErrNone) && ctx.Err() == nil {
				a.cfg.Log.Error("the outbox cannot be read", "error", err)
			}
			return
		}
		result, err := a.sendOne(ctx, m)
		a.mails.WithLabelValues(result).Inc()
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.Warn("a mail was not sent", "mail", m.ID, "purpose", m.Purpose, "attempts", m.Attempts, "result", result, "error", err)
		}
		if result == "failed" {
			continue // it has its next try
		}
		if err := a.db.MailDone(ctx, m.ID); err != nil && ctx.Err() == nil {
			a.cfg.Log.Error("a mail may be sent twice", "mail", m.ID, "error", err)
		}
	}
}

// mailWait is how long to wait after so many tries.
func mailWait(attempts int) time.Duration {
	wait := mailFirstWait
	for range attempts - 1 {
		if wait *= 2; wait >= mailMostWait {
			return mailMostWait
		}
	}
	return wait
}

// sendOne sends a mail if there is somebody to tell something. Its link is made
// here, so that none that still works lies in the outbox.
func (a *Accounts) sendOne(ctx context.Context, m store.Mail) (result string, err error) {
	now := a.cfg.Now()
	if !now.Before(m.Expires) {
		return "given_up", errors.New("it was tried for a day")
	}
	p, err := a.db.PersonByEmail(ctx, m.Address)
	if errors.Is(err, store.ErrNone) {
		return "nobody", nil
	}
	if err != nil {
		return "failed", err
	}
	l, err := a.letter(ctx, m, p, now)
	if err != nil {
		return "failed", err
	}
	if l.Subject == "" {
		return "nobody", nil
	}
	if err := a.mailer.send(ctx, p.Email, l); err != nil {
		if errors.Is(err, mail.ErrRecipient) {
			return "given_up", err
		}
		return "failed", err
	}
	return "sent", nil
}

// letter decides what a mail says; nothing if there is nothing to say.
func (a *Accounts) letter(ctx context.Context, m store.Mail, p store.Person, now time.Time) (letter, error) {
	issuer := a.mailer.issuer
	text, hash := newSecret()
	switch {
	case m.Purpose == store.PurposeReset:
		return resetLetter(issuer, text), a.db.AddMailToken(ctx, hash, p.ID, store.PurposeReset, now, now.Add(resetLife))
	case p.Verified.IsZero():
		return verifyLetter(issuer, text), a.db.AddMailToken(ctx, hash, p.ID, store.PurposeVerify, now, now.Add(verifyLife))
	case m.Purpose == store.PurposeSignUp:
		return existsLetter(issuer), nil
	}
	return letter{}, nil
}
