package keyring_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/internal/keyring"
)

func open(t *testing.T, cfg keyring.Config) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestARingSignsWhatItsKeySetVerifies(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{"", jose.ES256, jose.RS256} {
		ring := open(t, keyring.Config{Storage: &keyring.Memory{}, Algorithm: alg})
		if alg == "" {
			alg = jose.ES256
		}
		raw, err := ring.Sign("at+jwt", []byte(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
		if err != nil {
			t.Fatal(err)
		}
		header := parsed.Signatures[0].Protected
		if header.ExtraHeaders["typ"] != "at+jwt" || header.Algorithm != string(alg) || len(header.ExtraHeaders) != 1 {
			t.Errorf("the header is %+v", header)
		}
		set := ring.JWKS()
		keys := set.Key(header.KeyID)
		if len(keys) != 1 || keys[0].Use != "sig" || keys[0].Algorithm != string(alg) {
			t.Fatalf("the key set is %+v", keys)
		}
		if payload, err := parsed.Verify(keys[0]); err != nil || string(payload) != `{"a":1}` {
			t.Errorf("%s: %q, %v", alg, payload, err)
		}
	}
}

func TestAKeySetShowsNoPrivateKey(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		data, err := json.Marshal(open(t, keyring.Config{Storage: &keyring.Memory{}, Algorithm: alg}).JWKS())
		if err != nil {
			t.Fatal(err)
		}
		for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"k"`} {
			if strings.Contains(string(data), private) {
				t.Errorf("%s: the member %s is public", alg, private)
			}
		}
	}
}

func TestARestartKeepsTheKeyAndAnotherAlgorithmAddsOne(t *testing.T) {
	storage, now := &keyring.Memory{}, time.Now()
	clock := func() time.Time { return now }
	first := open(t, keyring.Config{Storage: storage, Now: clock})
	again := open(t, keyring.Config{Storage: storage, Now: clock})
	if first.Signer().ID != again.Signer().ID || len(again.JWKS().Keys) != 1 {
		t.Error("a restart made another key")
	}
	now = now.Add(time.Hour)
	rsa := open(t, keyring.Config{Storage: storage, Algorithm: jose.RS256, Now: clock})
	if rsa.Signer().Algorithm != jose.RS256 || len(rsa.JWKS().Keys) != 2 {
		t.Errorf("with RS256: %s of %d keys", rsa.Signer().Algorithm, len(rsa.JWKS().Keys))
	}
	if back := open(t, keyring.Config{Storage: storage, Now: clock}); back.Signer().ID != first.Signer().ID {
		t.Error("back to ES256 another key signs")
	}
}

func TestKeysThatDoNotSignAreStillShown(t *testing.T) {
	storage := &keyring.Memory{}
	open(t, keyring.Config{Storage: storage})
	keys, _ := storage.Keys(t.Context())
	old := keys[0]
	old.State = keyring.Previous
	retired := &keyring.Memory{}
	if err := retired.AddKey(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	ring := open(t, keyring.Config{Storage: retired})
	if ring.Signer().ID == old.ID || len(ring.JWKS().Keys) != 2 {
		t.Errorf("key %s signs, %d are shown", ring.Signer().ID, len(ring.JWKS().Keys))
	}
}

// broken is storage that fails.
type broken struct {
	keyring.Memory
	read, write error
}

func (b *broken) Keys(ctx context.Context) ([]keyring.StoredKey, error) {
	keys, _ := b.Memory.Keys(ctx)
	return keys, b.read
}

func (b *broken) AddKey(ctx context.Context, k keyring.StoredKey) error {
	if b.write != nil {
		return b.write
	}
	return b.Memory.AddKey(ctx, k)
}

func TestARingThatCannotKeepItsKeyIsNotMade(t *testing.T) {
	disk := errors.New("the disk is full")
	for name, cfg := range map[string]keyring.Config{
		"no storage":            {},
		"unreadable storage":    {Storage: &broken{read: disk}},
		"unwritable storage":    {Storage: &broken{write: disk}},
		"a symmetric algorithm": {Storage: &keyring.Memory{}, Algorithm: jose.HS256},
	} {
		if _, err := keyring.New(cfg); err == nil {
			t.Errorf("%s: a ring was made", name)
		}
	}
}

func TestAlteredKeysStopTheStart(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*keyring.StoredKey)
		because string
	}{
		{"another name", func(k *keyring.StoredKey) { k.ID = "mine" }, "altered"},
		{"another algorithm", func(k *keyring.StoredKey) { k.Algorithm = "RS256" }, "no key for RS256"},
		{"an algorithm that is not offered", func(k *keyring.StoredKey) { k.Algorithm = "HS256" }, "not offered"},
		{"broken bytes", func(k *keyring.StoredKey) { k.Private = k.Private[:20] }, "not readable"},
	} {
		storage := &keyring.Memory{}
		open(t, keyring.Config{Storage: storage})
		keys, _ := storage.Keys(t.Context())
		c.change(&keys[0])
		altered := &keyring.Memory{}
		if err := altered.AddKey(t.Context(), keys[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.New(keyring.Config{Storage: altered}); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
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
