package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

// toRevoke is what the flags of token revoke say.
type toRevoke struct{ id, client, subject, before, data string }

func tokenRevoke() *cobra.Command {
	var q toRevoke
	cmd := &cobra.Command{
		Use:   "revoke",
		Short: "Revoke tokens: by id, client, subject or time",
		Long: `Makes tokens worthless at every verifier within a second:

  --id ID              the token with this id (jti), or the sign-in, and all that was made from it
  --client NAME        all tokens that a client has, or acts with
  --subject SUB        all tokens that speak for a person or client
  --issued-before now  all tokens there are; or a time such as 2027-01-10T12:00:00Z

With --client or --subject, --issued-before says which; left out, it is now. Whoever
may have a new token gets one: use client disable to shut a client out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			e, err := q.entry(now)
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), q.data)
			if err != nil {
				return err
			}
			defer db.Close()
			if _, err := db.Revoke(cmd.Context(), e); err != nil {
				return err
			}
			return recordChange(cmd.Context(), q.data, audit.Record{Action: "revoke", Outcome: "success", Reason: "command line", Detail: e.Kind + " " + e.Value})
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.id, "id", "", "the id of a token or of a sign-in, as the audit log names it")
	f.StringVar(&q.client, "client", "", "a client")
	f.StringVar(&q.subject, "subject", "", "a subject")
	f.StringVar(&q.before, "issued-before", "", "now, or a time (RFC 3339)")
	dataFlag(f, &q.data)
	cmd.MarkFlagsMutuallyExclusive("id", "client", "subject")
	cmd.MarkFlagsMutuallyExclusive("id", "issued-before")
	return cmd
}

// entry is what the flags mean.
func (q toRevoke) entry(now time.Time) (token.Revocation, error) {
	e := token.Revocation{Until: issue.LastExpiry(now.Add(issue.RevokedAhead)).Unix(), Before: now.Add(issue.RevokedAhead).Unix()}
	if q.before != "" && q.before != "now" {
		at, err := time.Parse(time.RFC3339, q.before)
		if err != nil {
			return e, fmt.Errorf("--issued-before %q is neither now nor a time such as 2027-01-10T12:00:00Z", q.before)
		}
		if at.After(now) {
			return e, fmt.Errorf("--issued-before %q is in the future: tokens that do not exist yet cannot be revoked", q.before)
		}
		e.Before = at.Unix()
	}
	switch {
	case q.id != "":
		e.Kind, e.Value, e.Before = token.RevokeToken, q.id, 0
	case q.client != "":
		e.Kind, e.Value = token.RevokeClient, q.client
	case q.subject != "":
		e.Kind, e.Value = token.RevokeSubject, q.subject
	case q.before != "":
		e.Kind = token.RevokeAll
	default:
		return e, errors.New("say what to revoke: --id, --client, --subject or --issued-before; keys are revoked with authserver keys revoke")
	}
	return e, nil
}

// recordChange writes what the command line did into the audit log of the
// service, which may be running meanwhile.
func recordChange(ctx context.Context, data string, r audit.Record) error {
	log, err := audit.Open(audit.Config{Dir: auditDir(data)})
	if err != nil {
		return fmt.Errorf("it is done, but could not be recorded: %w", err)
	}
	if err := log.Append(ctx, r); err != nil {
		return errors.Join(fmt.Errorf("it is done, but could not be recorded: %w", err), log.Close())
	}
	return log.Close()
}
