package keyring_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/internal/keyring"
)

// run runs a ring until the test ends, and lets its first round pass.
func run(t *testing.T, ring *keyring.Ring) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { ring.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	synctest.Wait()
}

// pass lets time pass, and what it brings happen.
func pass(d time.Duration) {
	time.Sleep(d + 2*time.Second)
	synctest.Wait()
}

func TestALifeOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &keyring.Memory{}
		var changes []keyring.Change
		const period = 3 * time.Hour
		ring := open(t, keyring.Config{Storage: storage, Terms: keyring.Terms{Period: period}, Changed: func(c keyring.Change) { changes = append(changes, c) }})
		run(t, ring)
		first, second := in(t, storage, keyring.Current), in(t, storage, keyring.Next)

		pass(period - time.Minute)
		if ring.Signer().ID != first.ID {
			t.Fatal("the first key is replaced early")
		}
		pass(time.Minute)
		if ring.Signer().ID != second.ID || !shows(ring, first.ID) || len(ring.JWKS().Keys) != 3 {
			t.Fatalf("%s signs, shown are %s", ring.Signer().ID, ring.JWKSJSON())
		}
		if old := in(t, storage, keyring.Previous); len(old.Sealed) > 0 || old.Destroyed.IsZero() || old.Retired.IsZero() {
			t.Errorf("the private half of the key that signs no more is there: %+v", old)
		}
		pass(keyring.DefaultKeep - time.Minute)
		if !shows(ring, first.ID) {
			t.Error("the previous key is gone while its tokens live")
		}
		pass(time.Minute)
		if shows(ring, first.ID) {
			t.Error("the previous key outlives its tokens")
		}
		if old, ok := ring.HistoryKey(first.ID); !ok || old.State != keyring.Gone || old.Key == nil || !old.Revoked.IsZero() {
			t.Errorf("of the key that is gone there remains %+v", old)
		}
		var kinds []string
		for _, c := range changes {
			kinds = append(kinds, string(c.Kind))
		}
		if got := strings.Join(kinds, " "); got != "made made retired promoted made removed" {
			t.Errorf("the changes are %s", got)
		}
	})
}

func TestAnotherAlgorithmIsPublishedBeforeItSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &keyring.Memory{}
		old := open(t, keyring.Config{Storage: storage}).Signer().ID
		ring := open(t, keyring.Config{Storage: storage, Algorithm: jose.RS256})
		run(t, ring)
		if ring.Signer().ID != old || in(t, storage, keyring.Next).Algorithm != "RS256" {
			t.Fatal("RS256 signs before anybody can know the key, or is not published")
		}
		// A process that knows nothing of the change does not undo it.
		run(t, open(t, keyring.Config{Storage: storage}))
		pass(keyring.DefaultPublish)
		if ring.Signer().Algorithm != jose.RS256 || !shows(ring, old) || in(t, storage, keyring.Next).Algorithm != "RS256" {
			t.Errorf("%s signs, shown are %s", ring.Signer().Algorithm, ring.JWKSJSON())
		}
	})
}

func TestAClockThatJumpsMovesNoKeyEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &keyring.Memory{}
		var off atomic.Int64
		ring := open(t, keyring.Config{Storage: storage, Now: func() time.Time { return time.Now().Add(time.Duration(off.Load())) }})
		run(t, ring)
		first := ring.Signer().ID
		off.Store(int64(40 * 24 * time.Hour))
		pass(keyring.DefaultPublish / 2)
		if ring.Signer().ID != first {
			t.Fatal("the clock leapt, and a key signs that verifiers may not know")
		}
		pass(keyring.DefaultPublish)
		second := ring.Signer().ID
		if second == first {
			t.Fatal("the next key was published long enough and does not sign")
		}
		off.Store(int64(-time.Hour))
		pass(keyring.DefaultKeep)
		if ring.Signer().ID != second || !shows(ring, first) {
			t.Error("a clock that was set back moved a key")
		}
	})
}

func TestACommandOfAnotherProcessIsInForceWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &keyring.Memory{}
		ring := open(t, keyring.Config{Storage: storage})
		run(t, ring)
		first, second := in(t, storage, keyring.Current).ID, in(t, storage, keyring.Next).ID

		_, err := keyring.Rotate(t.Context(), storage, time.Now(), keyring.Terms{}, false)
		if soon, ok := errors.AsType[*keyring.TooSoonError](err); !ok || soon.Wait < keyring.DefaultPublish-time.Second {
			t.Fatalf("a key that nobody may know was promoted: %v", err)
		}
		pass(keyring.DefaultPublish)
		if _, err := keyring.Rotate(t.Context(), storage, time.Now(), keyring.Terms{}, false); err != nil {
			t.Fatal(err)
		}
		pass(0)
		if ring.Signer().ID != second || !shows(ring, first) {
			t.Errorf("after a rotation %s signs, shown are %s", ring.Signer().ID, ring.JWKSJSON())
		}
		third := in(t, storage, keyring.Next).ID
		if _, err := keyring.Revoke(t.Context(), storage, time.Now(), keyring.Terms{}, second, nil); err != nil {
			t.Fatal(err)
		}
		pass(0)
		if ring.Signer().ID != third || shows(ring, second) || !shows(ring, first) {
			t.Errorf("after a revocation %s signs, shown are %s", ring.Signer().ID, ring.JWKSJSON())
		}
		if old, _ := ring.HistoryKey(second); old.Revoked.IsZero() {
			t.Error("history does not say that the key was revoked")
		}
	})
}

func TestARevocationIsRecordedBeforeTheKeyIsGone(t *testing.T) {
	storage := &keyring.Memory{}
	ring := open(t, keyring.Config{Storage: storage})
	stolen, next := ring.Signer().ID, in(t, storage, keyring.Next).ID
	full := errors.New("the disk is full")
	refuse := func(context.Context, string, time.Time) error { return full }
	if err := ring.Revoke(t.Context(), stolen, refuse); !errors.Is(err, full) || ring.Signer().ID != stolen {
		t.Fatalf("a revocation that is recorded nowhere happened: %v", err)
	}
	var until time.Time
	record := func(_ context.Context, kid string, u time.Time) error {
		if kid != stolen || !shows(ring, stolen) {
			t.Errorf("%s is recorded, and the key is gone", kid)
		}
		until = u
		return nil
	}
	if err := ring.Revoke(t.Context(), stolen, record); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(until); left < time.Hour+30*time.Second || left > keyring.DefaultKeep {
		t.Errorf("it is to be believed for %v", left)
	}
	if ring.Signer().ID != next || shows(ring, stolen) || len(ring.JWKS().Keys) != 2 {
		t.Errorf("%s signs, shown are %s", ring.Signer().ID, ring.JWKSJSON())
	}
	for _, kid := range []string{stolen, "unknown", ""} {
		if err := ring.Revoke(t.Context(), kid, func(context.Context, string, time.Time) error {
			t.Errorf("the revocation of %q is recorded", kid)
			return nil
		}); err == nil {
			t.Errorf("%q was revoked", kid)
		}
	}
	// A next key is replaced.
	next = in(t, storage, keyring.Next).ID
	if err := ring.Revoke(t.Context(), next, nil); err != nil || shows(ring, next) || in(t, storage, keyring.Next).ID == next {
		t.Errorf("the next key stays: %v", err)
	}
}

// shut is a vault that can be out of reach.
type shut struct {
	keyring.Vault
	mu  sync.Mutex
	err error
}

func (s *shut) set(err error) { s.mu.Lock(); s.err = err; s.mu.Unlock() }
func (s *shut) get() error    { s.mu.Lock(); defer s.mu.Unlock(); return s.err }

func (s *shut) Make(ctx context.Context, alg string) ([]byte, crypto.PublicKey, error) {
	if err := s.get(); err != nil {
		return nil, nil, err
	}
	return s.Vault.Make(ctx, alg)
}

func (s *shut) Open(ctx context.Context, sealed []byte, public crypto.PublicKey) (crypto.Signer, error) {
	if err := s.get(); err != nil {
		return nil, err
	}
	return s.Vault.Open(ctx, sealed, public)
}

func TestARevocationDoesNotWaitForTheVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage, vault := &keyring.Memory{}, &shut{Vault: keyring.Unkept()}
		ring := open(t, keyring.Config{Storage: storage, Vault: vault})
		run(t, ring)
		vault.set(errors.New("out of reach"))
		for _, state := range []keyring.State{keyring.Current, keyring.Current} {
			stolen := in(t, storage, state).ID
			if _, err := keyring.Revoke(t.Context(), storage, time.Now(), keyring.Terms{}, stolen, nil); err != nil {
				t.Fatal(err)
			}
			pass(0)
			if shows(ring, stolen) {
				t.Fatal("the revoked key is shown")
			}
		}
		if raw, err := ring.Sign("JWT", nil); err == nil {
			t.Fatalf("no key is left, and yet: %s", raw)
		}
		vault.set(nil)
		pass(0)
		if _, err := ring.Sign("JWT", nil); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARingThatHearsNothingStopsSigning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &unreadable{Memory: &keyring.Memory{}}
		ring := open(t, keyring.Config{Storage: storage, Vault: keyring.Unkept()})
		run(t, ring)
		storage.set(errors.New("the disk is gone"))
		pass(time.Minute)
		if _, err := ring.Sign("JWT", nil); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		if _, err := ring.Sign("JWT", nil); err == nil || !strings.Contains(err.Error(), "may have been revoked") {
			t.Fatalf("it signs with a key that may be revoked: %v", err)
		}
		storage.set(nil)
		pass(0)
		if _, err := ring.Sign("JWT", nil); err != nil {
			t.Fatal(err)
		}
	})
}

// unreadable is storage that breaks while it is used.
type unreadable struct {
	*keyring.Memory
	mu  sync.Mutex
	err error
}

func (u *unreadable) set(err error) { u.mu.Lock(); u.err = err; u.mu.Unlock() }

func (u *unreadable) Keys(ctx context.Context) ([]keyring.StoredKey, error) {
	u.mu.Lock()
	err := u.err
	u.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return u.Memory.Keys(ctx)
}

func TestNobodyNoticesARotation(t *testing.T) {
	ring := open(t, keyring.Config{Storage: &keyring.Memory{}})
	done := make(chan struct{})
	var signing sync.WaitGroup
	for range 4 {
		signing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				raw, err := ring.Sign("JWT", []byte("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
				if err != nil {
					t.Error(err)
					return
				}
				set := ring.JWKS()
				if keys := set.Key(parsed.Signatures[0].Protected.KeyID); len(keys) != 1 {
					t.Error("the key that signed is not shown")
				} else if _, err := parsed.Verify(keys[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		if err := ring.Rotate(t.Context(), true); err != nil {
			t.Error(err)
		}
	}
	close(done)
	signing.Wait()
}
