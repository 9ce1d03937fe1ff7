package accounts

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func start(t *testing.T, cfg Config) *Accounts {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cfg.Store, cfg.Issuer = db, "https://localhost:8444"
	cfg.Mail = MailConfig{Addr: "localhost:25", From: "no-reply@hotel.example"}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verified stores an account whose password has this hash.
func verified(t *testing.T, a *Accounts, email, hash string) store.Person {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	if err := a.db.SignUp(ctx, store.Person{ID: "u-" + email, Email: email, Password: hash, Created: now}, a.mail(email, store.PurposeSignUp)); err != nil {
		t.Fatal(err)
	}
	if err := a.db.AddMailToken(ctx, [32]byte{1}, "u-"+email, store.PurposeVerify, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	p, err := a.db.Verify(ctx, [32]byte{1}, hash, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACheaperHashIsMadeAnewAtTheNextSignIn(t *testing.T) {
	t.Parallel()
	a := start(t, Config{})
	cheap := dummyHash()
	cheap.memory, cheap.time = 64, 1
	cheap.key = cheap.derive("correct horse")
	p := verified(t, a, "ada@hotel.example", cheap.String())
	c := Caller{Source: netip.MustParseAddr("192.0.2.1")}
	if _, _, err := a.SignIn(t.Context(), c, p.Email, "a wrong one", ""); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	if now, _ := a.db.Person(t.Context(), p.ID); now.Password != p.Password {
		t.Error("a wrong password has replaced the hash")
	}
	if _, _, err := a.SignIn(t.Context(), c, p.Email, "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	now, err := a.db.Person(t.Context(), p.ID)
	if err != nil || !strings.HasPrefix(now.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %q, want one of today's cost: %v", now.Password, err)
	}
	if _, _, err := a.SignIn(t.Context(), c, p.Email, "correct horse", ""); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}

// An account whose tokens cannot be revoked, or whose change cannot be
// recorded, is not told that it is safe.
func TestAResetThatCannotRevokeFailsAndLeavesTheLinkGood(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is full")
	var fail error
	a := start(t, Config{Revoked: func(context.Context, string) error { return fail }})
	p := verified(t, a, "ada@hotel.example", newHash("correct horse").String())
	text, hash := newSecret()
	now := time.Now()
	if err := a.db.AddMailToken(t.Context(), hash, p.ID, store.PurposeReset, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	fail = broken
	if err := a.Reset(t.Context(), Caller{}, text, "another horse"); !errors.Is(err, broken) {
		t.Fatalf("error %v, want the revocation's", err)
	}
	fail = nil
	if err := a.Reset(t.Context(), Caller{}, text, "another horse"); err != nil {
		t.Errorf("the link is lost: %v", err)
	}
}

func TestWhatCannotBeRecordedSignsNobodyIn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is full")
	a := start(t, Config{Record: func(context.Context, string, string, Facts) error { return broken }})
	p := verified(t, a, "ada@hotel.example", newHash("correct horse").String())
	text, _, err := a.SignIn(t.Context(), Caller{}, p.Email, "correct horse", "")
	if !errors.Is(err, broken) || text != "" {
		t.Fatalf("error %v, want the record's", err)
	}
	if list, err := a.db.Sessions(t.Context(), p.ID, time.Now(), time.Hour); err != nil || len(list) != 0 {
		t.Errorf("%d sessions are left: %v", len(list), err)
	}
}

func TestAccountsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	good := MailConfig{Addr: "localhost:25", From: "no-reply@hotel.example"}
	for name, cfg := range map[string]Config{
		"no store":                   {Issuer: "https://localhost", Mail: good},
		"an issuer without TLS":      {Store: db, Issuer: "http://localhost", Mail: good},
		"a mail server without port": {Store: db, Issuer: "https://localhost", Mail: MailConfig{Addr: "localhost", From: good.From}},
		"a sender with a name":       {Store: db, Issuer: "https://localhost", Mail: MailConfig{Addr: good.Addr, From: "Hotel <a@b.example>"}},
		"certificates nobody checks": {Store: db, Issuer: "https://localhost", Mail: MailConfig{Addr: good.Addr, From: good.From, TLS: insecure()}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } //nolint:gosec // it is refused
