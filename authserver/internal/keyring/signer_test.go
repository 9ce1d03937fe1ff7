package keyring

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// house is a signer's socket and folder, through its restarts.
type house struct {
	t      testing.TB
	cfg    SignerConfig
	cancel context.CancelFunc
	ended  chan error
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	vault, err := NewSealed(filepath.Join(dir, "seal"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, cfg: SignerConfig{Socket: filepath.Join(dir, "run", "s"), Dir: filepath.Join(dir, "keys"), Vault: vault}}
	h.start()
	t.Cleanup(h.stop)
	return h
}

func (h *house) start() {
	h.t.Helper()
	ready := make(chan struct{})
	h.cfg.Ready = func() { close(ready) }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ServeSigner(ctx, h.cfg) }()
	h.cancel, h.ended = cancel, ended
	select {
	case <-ready:
	case err := <-ended:
		h.t.Fatal(err)
	}
}

func (h *house) stop() {
	h.t.Helper()
	h.cancel()
	if err := <-h.ended; err != nil {
		h.t.Error(err)
	}
	h.ended <- nil
}

func (h *house) dial() *RemoteVault {
	h.t.Helper()
	v, err := DialSigner(h.cfg.Socket)
	if err != nil {
		h.t.Fatal(err)
	}
	v.sign = time.Minute // a restart takes its time on a busy machine
	h.t.Cleanup(func() { v.Close() })
	return v
}

func (h *house) files() int {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(h.cfg.Dir, "*"+keySuffix))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(names)
}

func signed(t *testing.T, r *Ring, alg jose.SignatureAlgorithm) {
	t.Helper()
	raw, err := r.Sign("JWT", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	set := r.JWKS()
	if _, err := parsed.Verify(set.Key(parsed.Signatures[0].Protected.KeyID)[0]); err != nil {
		t.Fatal(err)
	}
}

func TestARingSignsWithKeysItDoesNotHave(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		h, storage := newHouse(t), &Memory{}
		ring, err := New(Config{Storage: storage, Vault: h.dial(), Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		signed(t, ring, alg)
		for _, k := range storage.keys {
			if string(k.Sealed) != inSigner {
				t.Errorf("the storage has %q of a private half", k.Sealed)
			}
		}
		if err := ring.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		signed(t, ring, alg)
		if n := h.files(); n != 2 {
			t.Errorf("the signer has %d keys: the previous one is not destroyed", n)
		}
	}
}

func TestARestartOfTheSignerIsSurvived(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring, err := New(Config{Storage: &Memory{}, Vault: h.dial()})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		signed(t, ring, jose.ES256)
		h.stop()
		h.start()
		signed(t, ring, jose.ES256)
	}
	// While it is away, whoever needs a signature waits for it, a little.
	h.stop()
	done := make(chan error, 1)
	go func() {
		_, err := ring.Sign("JWT", nil)
		done <- err
	}()
	h.start()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestASignerThatIsGoneIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	vault := h.dial()
	vault.sign = signTimeout
	ring, err := New(Config{Storage: &Memory{}, Vault: vault})
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	// Nobody starts it again: only the bound ends this. What it says depends on how far it came: a busy machine may reach the
	// deadline before the first knock.
	if _, err := ring.Sign("JWT", nil); err == nil || !strings.Contains(err.Error(), "ask the signer at") {
		t.Errorf("%v", err)
	}
}

func TestAnotherProcessMayRetireTheKeyInTheSigner(t *testing.T) {
	t.Parallel()
	h, storage := newHouse(t), &Memory{}
	var rings [2]*Ring
	for i := range rings {
		var err error
		if rings[i], err = New(Config{Storage: storage, Vault: h.dial()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := rings[0].Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	signed(t, rings[1], jose.ES256) // it has not heard of it
}

func TestManyAskAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring, err := New(Config{Storage: &Memory{}, Vault: h.dial()})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 * maxAsking {
		wg.Go(func() {
			for range 10 {
				if _, err := ring.Sign("JWT", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestASignerSignsNothingElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	vault := h.dial()
	_, public, err := vault.Make(t.Context(), "ES256")
	if err != nil {
		t.Fatal(err)
	}
	id, err := thumbprint(public)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	answer, err := vault.ask(t.Context(), time.Minute, question{Op: opSign, Key: id, Digest: digest[:]})
	if err != nil || !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], answer.Signature) {
		t.Fatalf("a digest is not signed: %v", err)
	}
	for name, q := range map[string]question{
		"a text":                  {Op: opSign, Key: id, Digest: []byte("x")},
		"nothing":                 {Op: opSign, Key: id},
		"with a key that is none": {Op: opSign, Key: "x", Digest: digest[:]},
		"a path for a key":        {Op: opPublic, Key: "../keys/" + id},
		"an unknown algorithm":    {Op: opMake, Algorithm: "HS256"},
		"an export":               {Op: "export", Key: id},
		"no question":             {},
	} {
		if answer, err := vault.ask(t.Context(), time.Minute, q); err == nil {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	// A path destroys nothing, here or elsewhere.
	victim := filepath.Join(filepath.Dir(h.cfg.Dir), "victim"+keySuffix)
	if err := os.WriteFile(victim, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../victim", "../keys/" + id, ""} {
		if _, err := vault.ask(t.Context(), time.Minute, question{Op: opDestroy, Key: path}); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(victim); err != nil || h.files() != 1 {
		t.Error("a file was removed by its path")
	}
}

func TestASignerHoldsSoManyKeys(t *testing.T) {
	t.Parallel()
	vault := newHouse(t).dial()
	var err error
	made := 0
	for ; err == nil && made <= maxFolder; made++ {
		_, _, err = vault.Make(t.Context(), "ES256")
	}
	if err == nil || made != maxFolder+1 {
		t.Errorf("%d keys were made: %v", made, err)
	}
}

func TestOnlyWhoMayIsAnswered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vault, err := NewSealed(filepath.Join(dir, "seal"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := openFolder(t.Context(), filepath.Join(dir, "keys"), vault)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.close()
	listener, err := listen(filepath.Join(dir, "run", "s"), false)
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"run": 0o700, "run/s": 0o600, "keys": 0o700} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %04o: %v", path, info.Mode(), mode, err)
		}
	}
	s := &signer{keys: keys, log: slog.New(slog.DiscardHandler), uids: []int{os.Getuid() + 1}, conns: map[net.Conn]struct{}{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.serve(ctx, listener) }()
	conn, err := net.Dial("unix", filepath.Join(dir, "run", "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = writeFrame(conn, question{Op: opMake, Algorithm: "ES256"})
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("another user got %d bytes", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPlacesWhereOthersGetInAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, others := range []bool{false, true} {
		if _, err := listen(filepath.Join(open, "s"), others); err == nil || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%v", err)
		}
	}
	if _, err := DialSigner(filepath.Join(open, "s")); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("%v", err)
	}
	h := newHouse(t)
	if _, err := listen(h.cfg.Socket, false); err == nil || !strings.Contains(err.Error(), "another signer") {
		t.Errorf("%v", err)
	}
	cfg := h.cfg
	cfg.Socket = filepath.Join(dir, "run", "s")
	if err := ServeSigner(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another signer has the keys") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(dir, "run", "file")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(file, false); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("%v", err)
	}
}

func TestAForgedSignerIsFoundOut(t *testing.T) {
	t.Parallel()
	h, storage := newHouse(t), &Memory{}
	if _, err := New(Config{Storage: storage, Vault: h.dial()}); err != nil {
		t.Fatal(err)
	}
	// Another signer, with other keys, under the same names.
	_, err := New(Config{Storage: storage, Vault: newHouse(t).dial()})
	if err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("%v", err)
	}
}

func TestKeysMoveFromAFileToASigner(t *testing.T) {
	t.Parallel()
	h, storage, file := newHouse(t), &Memory{}, Unkept()
	old, err := New(Config{Storage: storage, Vault: file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Storage: storage, Vault: h.dial()}); err == nil || !strings.Contains(err.Error(), "its seal file as well") {
		t.Errorf("%v", err)
	}
	ring, err := New(Config{Storage: storage, Vault: Moving{From: file, To: h.dial()}})
	if err != nil || ring.Signer().ID != old.Signer().ID {
		t.Fatal(err)
	}
	for range 2 {
		if err := ring.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		signed(t, ring, jose.ES256)
	}
	if ring, err = New(Config{Storage: storage, Vault: h.dial()}); err != nil {
		t.Fatal(err)
	}
	signed(t, ring, jose.ES256)
}

func BenchmarkRemoteSign(b *testing.B) {
	h := newHouse(b)
	ring, err := New(Config{Storage: &Memory{}, Vault: h.dial()})
	if err != nil {
		b.Fatal(err)
	}
	payload := []byte(strings.Repeat("x", 300))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Sign("at+jwt", payload); err != nil {
			b.Fatal(err)
		}
	}
}
