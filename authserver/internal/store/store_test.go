package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func credentials(t *testing.T, s *store.Store, client string) store.Credentials {
	t.Helper()
	c, err := s.Credentials(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOnlyTheOwnerCanReadTheDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, dir)
	if err := s.AddSecret(t.Context(), "demo", "d1", time.Now()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, want the database and its log: %v", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", f.Name(), info.Mode().Perm())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700: %v", info.Mode(), err)
	}
}

func TestADatabaseThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir).Close()
	if err := os.Chmod(filepath.Join(dir, store.File), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error %v, want one that says chmod 600", err)
	}
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir).Close()
	db, err := sql.Open("sqlite", filepath.Join(dir, store.File))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err = store.Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("error %v, want one that asks for a newer program", err)
	}
}

func TestAClientHasAtMostItsTwoNewestSecrets(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for i := range 4 {
		if err := s.AddSecret(t.Context(), "demo", fmt.Sprintf("d%d", i), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddSecret(t.Context(), "search", "other", time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := credentials(t, s, "demo").Digests; got != [2]string{"d3", "d2"} {
		t.Errorf("demo has %q, want its two newest", got)
	}
	if got := credentials(t, s, "search").Digests; got != [2]string{"other", ""} {
		t.Errorf("search has %q, want its own one", got)
	}
	if got := credentials(t, s, "nobody"); got != (store.Credentials{}) {
		t.Errorf("nobody has %+v, want nothing", got)
	}
}

func TestDisablingAClientCanBeRepeatedAndUndone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Disable(t.Context(), "demo", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if !credentials(t, s, "demo").Disabled || credentials(t, s, "search").Disabled {
		t.Error("demo is not disabled, or search is")
	}
	for range 2 {
		if err := s.Enable(t.Context(), "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if credentials(t, s, "demo").Disabled {
		t.Error("demo is still disabled")
	}
}

func TestTwoProcessesMayStoreSecretsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i, s := range []*store.Store{open(t, dir), open(t, dir)} {
		wg.Go(func() {
			for j := range 20 {
				if err := s.AddSecret(context.Background(), "demo", fmt.Sprintf("%d-%d", i, j), time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := credentials(t, open(t, dir), "demo").Digests; got[0] == "" || got[1] == "" {
		t.Errorf("demo has %q, want two secrets", got)
	}
}
