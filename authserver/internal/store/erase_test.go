package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func TestErasingAnAccountLeavesNobodyAndEndsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	ada(t, s, now)
	link(t, s, 1, store.PurposeVerify, now)
	if _, err := s.Verify(t.Context(), hashed(1), "old", now); err != nil {
		t.Fatal(err)
	}
	link(t, s, 2, store.PurposeReset, now)
	if err := begin(t, s, 3, "old", now); err != nil {
		t.Fatal(err)
	}
	code := signIn("a")
	code.Grant.Subject = "u-ada"
	if err := s.AddCode(t.Context(), hash("a"), code); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RedeemCode(t.Context(), hash("a"), now, anyCode, &store.Refresh{Hash: hash("r"), Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for round, want := range []bool{true, false, false} {
		if erased, err := s.EraseAccount(t.Context(), "u-ada", now, now.Add(time.Hour)); err != nil || erased != want {
			t.Fatalf("round %d: erased %v, %v", round, erased, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if raw, err := os.ReadFile(f); err != nil || bytes.Contains(raw, []byte("ada@hotel")) {
			t.Errorf("%s still holds the address (%v)", filepath.Base(f), err)
		}
	}
	if all := revocations(t, s); len(all) != 1 || all[0].Value != "a" {
		t.Errorf("revoked is %v, want the one sign-in once", all)
	}
	for what, err := range map[string]error{
		"the address finds somebody":     third(s.PersonByEmail(t.Context(), "ada@hotel.example")),
		"the account is there":           third(s.Person(t.Context(), "u-ada")),
		"a link to a new password works": third(s.Reset(t.Context(), hashed(2), "new", now)),
		"a mail waits":                   third(s.TakeMail(t.Context(), now, func(int) time.Duration { return time.Hour })),
		"the refresh token works":        third(s.RefreshGrant(t.Context(), hash("r"), now)),
	} {
		if !errors.Is(err, store.ErrNone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := s.Session(t.Context(), hashed(3), now, time.Hour); !errors.Is(err, store.ErrNone) {
		t.Errorf("the session goes on: %v", err)
	}
	ada(t, s, now) // the address is free for whoever has it
}

// A reader keeps the log from being emptied: that is told, and asking again
// empties it although there is no account any more.
func TestErasingAnAccountIsDoneWhenTheLogIsEmptyToo(t *testing.T) {
	t.Parallel() // it waits for as long as SQLite waits
	dir := t.TempDir()
	s := open(t, dir)
	ada(t, s, now)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "authserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reader, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM accounts").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := s.EraseAccount(t.Context(), "u-ada", now, now.Add(time.Hour)); err == nil {
		t.Error("the log was said to be empty while a reader needs it")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EraseAccount(t.Context(), "u-ada", now, now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if raw, err := os.ReadFile(f); err != nil || bytes.Contains(raw, []byte("ada@hotel")) {
			t.Errorf("%s still holds the address (%v)", filepath.Base(f), err)
		}
	}
}

func third[T any](_ T, err error) error { return err }

func TestErasingAnAccountLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ada(t, s, now)
	if err := begin(t, s, 1, "old", now); err != nil {
		t.Fatal(err)
	}
	if erased, err := s.EraseAccount(t.Context(), "u-bob", now, now.Add(time.Hour)); err != nil || erased {
		t.Fatalf("erased %v, %v", erased, err)
	}
	if _, _, err := s.Session(t.Context(), hashed(1), now, time.Hour); err != nil {
		t.Errorf("another's session: %v", err)
	}
}
