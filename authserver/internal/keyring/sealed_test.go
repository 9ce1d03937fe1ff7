package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"portcullis/authserver/internal/keyring"
)

func newSealed(t testing.TB, file string) *keyring.Sealed {
	t.Helper()
	vault, err := keyring.NewSealed(file)
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func TestASealIsMadeWithTheFirstKeyForItsOwnerAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run", "seal")
	vault := newSealed(t, file)
	if _, err := os.Stat(file); err == nil {
		t.Fatal("a seal was made before there was anything to seal")
	}
	sealed, public, err := vault.Make(t.Context(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the seal has mode %v: %v", info, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("beside the seal there is something: %v, %v", entries, err)
	}
	signer, err := newSealed(t, file).Open(t.Context(), sealed, public)
	if err != nil {
		t.Fatal(err)
	}
	private, err := signer.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, private) || bytes.Contains(sealed, der[:8]) {
		t.Error("what is sealed shows the key")
	}
}

func TestNoKeyIsSealedTheSameTwice(t *testing.T) {
	vault := keyring.Unkept()
	nonces := map[string]bool{}
	for range 100 {
		sealed, _, err := vault.Make(t.Context(), "ES256")
		if err != nil {
			t.Fatal(err)
		}
		nonces[string(sealed[1:13])] = true
	}
	if len(nonces) != 100 {
		t.Errorf("100 keys have %d nonces", len(nonces))
	}
}

func TestWhatWasSealedOpensOnlyAsItself(t *testing.T) {
	vault := keyring.Unkept()
	sealed, public, err := vault.Make(t.Context(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	other, otherPublic, err := vault.Make(t.Context(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), sealed, public); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), sealed, otherPublic); err == nil {
		t.Error("it opens as another key")
	}
	if _, err := vault.Open(t.Context(), other, public); err == nil {
		t.Error("another key opens as it")
	}
	if _, err := keyring.Unkept().Open(t.Context(), sealed, public); err == nil {
		t.Error("it opens with another seal")
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := vault.Open(t.Context(), altered, public); err == nil {
			t.Errorf("it opens with byte %d altered", i)
		}
	}
	for n := range sealed {
		if _, err := vault.Open(t.Context(), sealed[:n], public); err == nil {
			t.Errorf("%d bytes of it open", n)
		}
	}
}

func TestAFileThatIsNoSealIsRefused(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		because    string
	}{
		{"a good one", good + "\n", 0o600, ""},
		{"for its owner to read only", good, 0o400, ""},
		{"for a group to read", good, 0o640, "chmod 600"},
		{"for others to write", good, 0o602, "chmod 600"},
		{"empty", "", 0o600, "32 bytes in base64"},
		{"too short", good[:40], 0o600, "32 bytes in base64"},
		{"two of them", good + good, 0o600, "32 bytes in base64"},
		{"endless", strings.Repeat("A", 1<<20), 0o600, "32 bytes in base64"},
		{"a secret of another kind", "pcs_demo_secret", 0o600, "32 bytes in base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "seal")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := keyring.NewSealed(file)
			if (err == nil) != (c.because == "") || err != nil && !strings.Contains(err.Error(), c.because) {
				t.Errorf("%v, want one that says %q", err, c.because)
			}
			if err != nil && c.text != "" && strings.Contains(err.Error(), c.text[:min(8, len(c.text))]) {
				t.Errorf("the error shows the file: %v", err)
			}
		})
	}
	if _, err := keyring.NewSealed(""); err == nil {
		t.Error("a seal without a file")
	}
}

func TestTwoFirstStartsMakeOneSeal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seal")
	var wg sync.WaitGroup
	for range 8 {
		vault := newSealed(t, file)
		wg.Go(func() {
			sealed, public, err := vault.Make(t.Context(), "ES256")
			if err != nil {
				t.Error(err)
				return
			}
			again, err := keyring.NewSealed(file)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := again.Open(t.Context(), sealed, public); err != nil {
				t.Errorf("a key was sealed with a seal that is gone: %v", err)
			}
		})
	}
	wg.Wait()
}
