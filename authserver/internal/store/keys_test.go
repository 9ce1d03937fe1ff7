package store_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/store"
)

func sealed(t *testing.T, file string) *keyring.Sealed {
	t.Helper()
	vault, err := keyring.NewSealed(file)
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func ring(t *testing.T, s *store.Store, seal string) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(keyring.Config{Storage: s, Vault: sealed(t, seal)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signingKeys(t *testing.T, s *store.Store) []keyring.StoredKey {
	t.Helper()
	keys, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestSigningKeysSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seal := filepath.Join(dir, "seal")
	s := open(t, filepath.Join(dir, "data"))
	first := ring(t, s, seal)
	if err := first.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	before := signingKeys(t, s)
	s.Close()
	s = open(t, filepath.Join(dir, "data"))
	second := ring(t, s, seal)
	if first.Signer().ID != second.Signer().ID || string(first.JWKSJSON()) != string(second.JWKSJSON()) {
		t.Errorf("%s after a restart, before it %s", second.JWKSJSON(), first.JWKSJSON())
	}
	after := signingKeys(t, s)
	if len(before) != 3 || len(after) != 3 {
		t.Fatalf("%d keys, then %d", len(before), len(after))
	}
	for i, k := range after {
		b := before[i]
		if k.ID != b.ID || k.State != b.State || !k.Published.Equal(b.Published) || !k.Activated.Equal(b.Activated) || !k.Retired.Equal(b.Retired) {
			t.Errorf("%+v became %+v", b, k)
		}
	}
}

func TestAFailedChangeOfKeysStoresNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	refused := errors.New("refused")
	err := s.ChangeKeys(t.Context(), func(keys []keyring.StoredKey) ([]keyring.StoredKey, error) {
		return append(keys, keyring.StoredKey{ID: "a", Algorithm: "ES256", State: keyring.Next}), refused
	})
	if !errors.Is(err, refused) || len(signingKeys(t, s)) != 0 {
		t.Errorf("%v, %d keys", err, len(signingKeys(t, s)))
	}
}

func TestTwoProcessesAgreeOnTheKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seal := filepath.Join(dir, "seal")
	var wg sync.WaitGroup
	var rotated atomic.Int32
	rings := make([]*keyring.Ring, 4)
	for i := range rings {
		s := open(t, filepath.Join(dir, "data"))
		wg.Go(func() {
			var err error
			vault, err := keyring.NewSealed(seal)
			if err == nil {
				rings[i], err = keyring.New(keyring.Config{Storage: s, Vault: vault})
			}
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				// Where another was faster there may be no next key just now.
				if rings[i].Rotate(t.Context(), true) == nil {
					rotated.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	count := map[keyring.State]int{}
	for _, k := range signingKeys(t, open(t, filepath.Join(dir, "data"))) {
		count[k.State]++
	}
	if count[keyring.Current] != 1 || count[keyring.Next] != 1 || count[keyring.Previous] != int(rotated.Load()) || rotated.Load() < 5 {
		t.Errorf("%v", count)
	}
	for _, r := range rings {
		if err := r.Reload(t.Context()); err != nil || r.Signer().ID != rings[0].Signer().ID {
			t.Errorf("%s signs here and %s there: %v", r.Signer().ID, rings[0].Signer().ID, err)
		}
	}
}

// earlier makes a database as the version before vaults did, with keys in the
// clear.
func earlier(t *testing.T, dir string, states ...keyring.State) (keys []*ecdsa.PrivateKey) {
	t.Helper()
	open(t, dir).Close() // the folder and the file, with the right permissions
	path := filepath.Join(dir, store.File)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(query string, args ...any) {
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`PRAGMA journal_mode(WAL)`)
	exec(`CREATE TABLE signing_keys (
	id        TEXT PRIMARY KEY,
	algorithm TEXT NOT NULL,
	state     TEXT NOT NULL CHECK (state IN ('next', 'current', 'previous')),
	private   BLOB NOT NULL,
	created   INTEGER NOT NULL
) STRICT;
CREATE TABLE client_secrets (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	client  TEXT NOT NULL,
	digest  TEXT NOT NULL UNIQUE,
	created INTEGER NOT NULL
) STRICT;
CREATE INDEX client_secrets_by_client ON client_secrets (client, id);
CREATE TABLE disabled_clients (
	client   TEXT PRIMARY KEY,
	disabled INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;`)
	for i, state := range states {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		created := time.Now().Add(time.Duration(i-10) * time.Hour).UnixMilli()
		exec("INSERT INTO signing_keys VALUES (?, 'ES256', ?, ?, ?)", kid(t, key.Public()), string(state), der, created)
		keys = append(keys, key)
	}
	return keys
}

func kid(t *testing.T, public crypto.PublicKey) string {
	t.Helper()
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func TestKeysInTheClearAreSealedAndLeaveNoTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, seal := filepath.Join(dir, "data"), filepath.Join(dir, "seal")
	keys := earlier(t, data, keyring.Previous, keyring.Current)
	if !traced(t, data, keys[1]) {
		t.Fatal("the test finds no key in the clear where there is one")
	}
	s := open(t, data)
	r := ring(t, s, seal)
	if r.Signer().ID != kid(t, keys[1].Public()) || len(r.JWKS().Keys) != 3 {
		t.Errorf("%s signs, shown are %s", r.Signer().ID, r.JWKSJSON())
	}
	for _, k := range keys {
		if traced(t, data, k) {
			t.Error("a private key is still in the files in the clear")
		}
	}
	for _, k := range signingKeys(t, s) {
		if len(k.Clear) > 0 || len(k.Public) == 0 || (len(k.Sealed) > 0) != (k.State != keyring.Previous) {
			t.Errorf("%+v", k)
		}
		if k.State == keyring.Previous && time.Since(k.Retired) > time.Hour {
			t.Errorf("a key that may have signed a moment ago is retired since %v", k.Retired)
		}
	}
	// It opens again, and what it signed before still verifies.
	if again := ring(t, open(t, data), seal); again.Signer().ID != r.Signer().ID {
		t.Error("after the migration another key signs")
	}
}

// traced reports whether a file of the database has the private key's number.
func traced(t *testing.T, dir string, key *ecdsa.PrivateKey) bool {
	t.Helper()
	number, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, number) {
			return true
		}
	}
	return false
}

func TestASealedKeyIsErasedWhenItSignsNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "data"))
	r := ring(t, s, filepath.Join(dir, "seal"))
	var blob []byte
	for _, k := range signingKeys(t, s) {
		if k.ID == r.Signer().ID {
			blob = k.Sealed
		}
	}
	if err := r.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{store.File, store.File + "-wal"} {
		text, err := os.ReadFile(filepath.Join(dir, "data", name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, blob) {
			t.Errorf("%s still has the sealed private half", name)
		}
	}
}

func TestADatabaseWithoutItsSealIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, seal := filepath.Join(dir, "data"), filepath.Join(dir, "seal")
	s := open(t, data)
	ring(t, s, seal)
	if err := os.Rename(seal, seal+".old"); err != nil {
		t.Fatal(err)
	}
	_, err := keyring.New(keyring.Config{Storage: s, Vault: sealed(t, seal)})
	if err == nil || !strings.Contains(err.Error(), "is missing: restore it") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(seal); err == nil {
		t.Error("a lost seal was replaced by a new one")
	}
	ring(t, open(t, filepath.Join(dir, "other")), seal) // makes another one
	_, err = keyring.New(keyring.Config{Storage: s, Vault: sealed(t, seal)})
	if err == nil || !strings.Contains(err.Error(), "sealed with another one") {
		t.Errorf("%v", err)
	}
}
