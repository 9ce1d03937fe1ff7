package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

func TestABackupIsWholeItsOwnersAndAnotherEpoch(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := s.AddSecret(t.Context(), "demo", "d-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke(t.Context(), token.Revocation{Kind: token.RevokeToken, Value: "t-1", Until: 4e9}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	if err := s.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), dir); err == nil {
		t.Error("a second backup replaces the first")
	}
	info, err := os.Stat(filepath.Join(dir, store.File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v", info.Mode(), err)
	}
	copied := open(t, dir)
	kept, err := copied.Credentials(t.Context(), "demo")
	if err != nil || kept.Digests[0] != "d-1" {
		t.Errorf("the copy knows %+v, %v", kept, err)
	}
	before, _, _, err := s.Revocations(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	after, head, entries, err := copied.Revocations(t.Context(), 0)
	if err != nil || head != 1 || len(entries) != 1 || after == before {
		t.Errorf("epoch %q then %q, head %d, entries %v, %v; want another epoch and the same entry", before, after, head, entries, err)
	}
}
