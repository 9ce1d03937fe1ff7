package accounts

import (
	"context"
	"fmt"
)

// The actions that are recorded.
const (
	ActionSignUp         = "account.sign_up"
	ActionVerify         = "account.verify"
	ActionSignIn         = "account.sign_in"
	ActionSignOut        = "account.sign_out"
	ActionSignOutAll     = "account.sign_out_everywhere"
	ActionRequestReset   = "account.request_reset"
	ActionReset          = "account.reset"
	ActionChangePassword = "account.change_password"
)

// The outcomes.
const (
	Success = "success"
	Failure = "failure"
)

// Facts are what is recorded of an action. Never an address, a password, a
// link or a session.
type Facts struct {
	// Subject is empty where it is unknown, or must not be.
	Subject, Source, RequestID string
	// Reason is why it failed: one word.
	Reason string
}

// record counts an action and keeps it.
func (a *Accounts) record(ctx context.Context, action, outcome string, c Caller, f Facts) error {
	a.done.WithLabelValues(action, outcome).Inc()
	if a.cfg.Record == nil {
		return nil
	}
	f.RequestID = c.RequestID
	if c.Source.IsValid() {
		f.Source = c.Source.String()
	}
	if err := a.cfg.Record(ctx, action, outcome, f); err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	return nil
}

// revoke makes the tokens of a subject end.
func (a *Accounts) revoke(ctx context.Context, subject string) error {
	if a.cfg.Revoked == nil {
		return nil
	}
	if err := a.cfg.Revoked(ctx, subject); err != nil {
		return fmt.Errorf("revoke the tokens of %q: %w", subject, err)
	}
	return nil
}
