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

func open(t testing.TB, cfg keyring.Config) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func stored(t testing.TB, s keyring.Storage) []keyring.StoredKey {
	t.Helper()
	keys, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// in returns the only key in a state.
func in(t testing.TB, s keyring.Storage, state keyring.State) keyring.StoredKey {
	t.Helper()
	var found []keyring.StoredKey
	for _, k := range stored(t, s) {
		if k.State == state {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d keys are %s, want one", len(found), state)
	}
	return found[0]
}

func shows(r *keyring.Ring, kid string) bool {
	set := r.JWKS()
	return len(set.Key(kid)) == 1
}

func TestAKeySetShowsNoPrivateKey(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		ring := open(t, keyring.Config{Storage: &keyring.Memory{}, Algorithm: alg})
		data, err := json.Marshal(ring.JWKS())
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != string(ring.JWKSJSON()) {
			t.Errorf("the key set is %s and in JSON %s", data, ring.JWKSJSON())
		}
		for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"k"`} {
			if strings.Contains(string(data), private) {
				t.Errorf("%s: the member %s is public", alg, private)
			}
		}
	}
}

func TestTheFirstKeySignsAtOnceAndTheNextOneIsShown(t *testing.T) {
	storage := &keyring.Memory{}
	ring := open(t, keyring.Config{Storage: storage})
	current, next := in(t, storage, keyring.Current), in(t, storage, keyring.Next)
	if ring.Signer().ID != current.ID || !shows(ring, current.ID) || !shows(ring, next.ID) || len(ring.JWKS().Keys) != 2 {
		t.Errorf("%s signs, shown are %s", ring.Signer().ID, ring.JWKSJSON())
	}
}

func TestARestartKeepsTheKeys(t *testing.T) {
	storage := &keyring.Memory{}
	first := open(t, keyring.Config{Storage: storage})
	again := open(t, keyring.Config{Storage: storage})
	if first.Signer().ID != again.Signer().ID || string(first.JWKSJSON()) != string(again.JWKSJSON()) {
		t.Error("a restart made another key")
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

func (b *broken) ChangeKeys(ctx context.Context, change func([]keyring.StoredKey) ([]keyring.StoredKey, error)) error {
	if b.write != nil {
		return b.write
	}
	return b.Memory.ChangeKeys(ctx, change)
}

func TestARingThatCannotKeepItsKeyIsNotMade(t *testing.T) {
	disk := errors.New("the disk is full")
	for name, cfg := range map[string]keyring.Config{
		"no storage":                        {},
		"unreadable storage":                {Storage: &broken{read: disk}},
		"unwritable storage":                {Storage: &broken{write: disk}},
		"a symmetric algorithm":             {Storage: &keyring.Memory{}, Algorithm: jose.HS256},
		"a negative time":                   {Storage: &keyring.Memory{}, Terms: keyring.Terms{Keep: -1}},
		"a period without an end":           {Storage: &keyring.Memory{}, Terms: keyring.Terms{Period: time.Second}},
		"a lasting storage without a vault": {Storage: struct{ keyring.Storage }{&keyring.Memory{}}},
	} {
		if _, err := keyring.New(cfg); err == nil {
			t.Errorf("%s: a ring was made", name)
		}
	}
}

// alter changes the current key of a storage.
func alter(t *testing.T, storage *keyring.Memory, how func(*keyring.StoredKey)) {
	t.Helper()
	err := storage.ChangeKeys(t.Context(), func(keys []keyring.StoredKey) ([]keyring.StoredKey, error) {
		for i := range keys {
			if keys[i].State == keyring.Current {
				how(&keys[i])
			}
		}
		return keys, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAlteredKeysStopTheStart(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(k *keyring.StoredKey, other keyring.StoredKey)
		because string
	}{
		{"another name", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.ID = "mine" }, "altered"},
		{"another algorithm", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.Algorithm = "RS256" }, "no key for RS256"},
		{"an algorithm that is not offered", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.Algorithm = "HS256" }, "not offered"},
		{"another public half", func(k *keyring.StoredKey, o keyring.StoredKey) { k.Public = o.Public }, "altered"},
		{"another public half and its name", func(k *keyring.StoredKey, o keyring.StoredKey) { k.ID, k.Public = "", o.Public; k.ID = o.ID }, "does not open"},
		{"another private half", func(k *keyring.StoredKey, o keyring.StoredKey) { k.Sealed = o.Sealed }, "does not open"},
		{"a broken public half", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.Public = k.Public[:20] }, "not readable"},
		{"a broken private half", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.Sealed = k.Sealed[:40] }, "does not open"},
		{"no private half", func(k *keyring.StoredKey, _ keyring.StoredKey) { k.Sealed = nil }, "not sealed by a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			storage := &keyring.Memory{}
			open(t, keyring.Config{Storage: storage})
			other := in(t, storage, keyring.Next)
			alter(t, storage, func(k *keyring.StoredKey) { c.change(k, other) })
			if _, err := keyring.New(keyring.Config{Storage: storage}); err == nil || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%v, want one that says %q", err, c.because)
			}
		})
	}
}
