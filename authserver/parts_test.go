package main

import (
	"crypto/sha256"
	"testing"
	"time"

	"portcullis/authserver/internal/revocation"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

// TestWhoSignsInAgainAtOnceIsNotSignedOut: a new password ends the sign-ins of
// before, and not one that follows within the same second.
func TestWhoSignsInAgainAtOnceIsNotSignedOut(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	local := token.NewLocalRevocations()
	feed, err := revocation.New(t.Context(), revocation.Config{Store: db, Local: local})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(id string) *token.Principal {
		g := store.Grant{ID: id, Client: "web", Subject: "u-1", Audience: "gateway", AuthTime: now, Created: now, Expires: now.Add(time.Hour)}
		code := sha256.Sum256([]byte(id))
		if err := db.AddCode(t.Context(), code, store.Code{Expires: now.Add(time.Minute), Grant: g}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.RedeemCode(t.Context(), code, now, func(store.Code) error { return nil }, nil); err != nil {
			t.Fatal(err)
		}
		return &token.Principal{Subject: "u-1", Client: "web", TokenID: "t-" + id, Lineage: []string{id}, Issued: time.Unix(now.Unix(), 0), Expires: now.Add(time.Minute)}
	}
	before := sign("before")
	if err := (&parts{db: db, feed: feed}).endSignIns(t.Context(), "u-1"); err != nil {
		t.Fatal(err)
	}
	after := sign("afterwards")
	if !local.Revoked(before) || local.Revoked(after) {
		t.Errorf("of the tokens of before and after, revoked are: %v, %v", local.Revoked(before), local.Revoked(after))
	}
}
