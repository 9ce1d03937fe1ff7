package oauth_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
)

// A key may be in a process that hangs. Revocations, assertions and everybody
// else's sign-ins are written meanwhile.
func TestNoWriteWaitsForASignature(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	written := 0
	s.meanwhile = func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.db.Revoke(ctx, token.Revocation{Kind: "token", Value: "another's", Until: 4e9}); err != nil {
			t.Errorf("a revocation while a token is signed: %v", err)
		}
		written++
	}
	got := s.redeem(t, s.code(t), "").tokens(t)
	if a := s.refresh(t, got.Refresh, ""); a.status != 200 || written != 2 {
		t.Errorf("%d %s; %d were written", a.status, a.body, written)
	}
}

func TestATokenSignedForACodeThatIsUsedMeanwhileIsNotHandedOut(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	code := s.code(t)
	s.meanwhile = func() {
		s.meanwhile = nil
		if a := s.redeem(t, code, ""); a.status != 200 {
			t.Errorf("who was faster: %d %s", a.status, a.body)
		}
	}
	if a := s.redeem(t, code, ""); a.status != 400 || a.code(t) != "invalid_grant" {
		t.Errorf("who came second: %d %s", a.status, a.body)
	}
}

func TestWhatEndsWhileItsTokenIsSignedIsNotHandedOut(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	got := s.redeem(t, s.code(t), "").tokens(t)
	s.meanwhile = func() {
		if err := s.db.EndGrants(t.Context(), "u-7", "", time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
	}
	if a := s.refresh(t, got.Refresh, ""); a.status != 400 || a.code(t) != "invalid_grant" {
		t.Errorf("a refresh during a sign-out: %d %s", a.status, a.body)
	}
}

// The new token is the gateway's and says when it was made: nothing in it tells
// that it comes from a token that is gone.
func TestNoExchangeOutrunsTheRevocationOfItsSubjectToken(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]token.Revocation{
		"of the subject": {Kind: "subject", Value: "u-7"},
		"of the client that the subject token has": {Kind: "client", Value: "booking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 0)
			guest := s.redeem(t, s.code(t), "").tokens(t)
			s.meanwhile = func() {
				gone.Before, gone.Until = time.Now().Unix(), 4e9
				if err := s.feed.Revoke(t.Context(), gone); err != nil {
					t.Error(err)
				}
			}
			if a := s.exchange(t, "gateway", guest.Access, "&audience=search"); a.status != 400 || a.code(t) != "invalid_request" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// An operator may start the service without a mail server: the sign-ins that are
// there must be neither used up nor a reason to panic.
func TestWithoutPeopleARefreshTokenIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	got := s.redeem(t, s.code(t), "").tokens(t)
	alone := &service{log: s.log, dir: t.TempDir(), secrets: s.secrets, db: s.db, ring: s.ring, alone: true}
	s.Config.Handler = alone.server(t, s.URL, 0).Handler()
	if a := s.refresh(t, got.Refresh, ""); a.status != 400 || a.code(t) != "unsupported_grant_type" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := s.db.RefreshGrant(t.Context(), sha256.Sum256([]byte(got.Refresh)), time.Now()); err != nil {
		t.Errorf("the refresh token is used up: %v", err)
	}
}

// Who holds a stolen session asks for codes again and again; a new password ends
// the session, and all grants that it finds.
func TestASessionThatEndsWhileItsCodeIsMadeLeavesNoGrant(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.guest()
	s.people.looks = 1
	got := s.authorize(t, nil).sent(t)
	if got.Get("code") != "" || got.Get("error") != "login_required" {
		t.Errorf("the client is sent %v", got)
	}
	if log := s.audited(t); strings.Contains(log, `"outcome":"success","client":"booking"`) {
		t.Error("a sign-in is recorded that there is not")
	}
}
