package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

var now = time.UnixMilli(1_800_000_000_123)

func hash(text string) [32]byte { return sha256.Sum256([]byte(text)) }

func anyCode(store.Code) error   { return nil }
func anyGrant(store.Grant) error { return nil }

// signIn is a code with the value "code" of the grant id.
func signIn(id string) store.Code {
	return store.Code{
		Redirect: "https://localhost:8443/callback", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Expires: now.Add(time.Minute),
		Grant: store.Grant{
			ID: id, Client: "booking", Subject: "u-7", Audience: "gateway", Scopes: []string{"openid", "reservations:read"},
			Nonce: "n-0S6", AuthTime: now.Add(-time.Hour), Created: now, Expires: now.Add(12 * time.Hour),
		},
	}
}

func refresh(text string) store.Refresh {
	return store.Refresh{Hash: hash(text), Expires: now.Add(12 * time.Hour)}
}

// redeemed opens a database with a redeemed code and the refresh token "r0".
func redeemed(t *testing.T, dir string) *store.Store {
	t.Helper()
	s := open(t, dir)
	if err := s.AddCode(t.Context(), hash("code"), signIn("g-1")); err != nil {
		t.Fatal(err)
	}
	first := refresh("r0")
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, anyCode, &first); err != nil {
		t.Fatal(err)
	}
	return s
}

func revocations(t *testing.T, s *store.Store) []token.Revocation {
	t.Helper()
	_, head, entries, err := s.Revocations(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 && entries[len(entries)-1].Seq != head {
		t.Errorf("the head is %d and the newest entry %d", head, entries[len(entries)-1].Seq)
	}
	return entries
}

// dead fails unless the grant g-1 has ended and its tokens are revoked, once.
func dead(t *testing.T, s *store.Store, refreshTokens ...string) {
	t.Helper()
	want := []token.Revocation{{Seq: 1, Kind: "token", Value: "g-1", Until: now.Add(store.LongestToken).Unix()}}
	if got := revocations(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("revoked are %+v, want %+v", got, want)
	}
	for _, r := range refreshTokens {
		if _, err := s.RotateRefresh(t.Context(), hash(r), now, anyGrant, refresh("never")); err == nil {
			t.Errorf("the refresh token %q of a dead family is good", r)
		}
		if _, err := s.RefreshGrant(t.Context(), hash(r), now); !errors.Is(err, store.ErrNone) {
			t.Errorf("the refresh token %q of a dead family is shown: %v", r, err)
		}
	}
}

func TestACodeGivesItsGrantOnce(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	code := signIn("g-1")
	if err := s.AddCode(t.Context(), hash("code"), code); err != nil {
		t.Fatal(err)
	}
	var seen store.Code
	got, err := s.RedeemCode(t.Context(), hash("code"), now, func(c store.Code) error { seen = c; return nil }, nil)
	if err != nil || !reflect.DeepEqual(got, code.Grant) {
		t.Errorf("got %+v, %v, want %+v", got, err, code.Grant)
	}
	if !reflect.DeepEqual(seen, code) {
		t.Errorf("the check saw %+v, want %+v", seen, code)
	}
	if entries := revocations(t, s); len(entries) != 0 {
		t.Errorf("revoked are %+v, want none", entries)
	}
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, anyCode, nil); !errors.Is(err, store.ErrReplayed) {
		t.Errorf("the second time: %v, want ErrReplayed", err)
	}
	dead(t, s)
}

func TestACodeThatIsReplayedAgainAndAgainFillsNoList(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	for i := range 5 {
		later := now.Add(time.Duration(i) * time.Second)
		if _, err := s.RedeemCode(t.Context(), hash("code"), later, anyCode, nil); !errors.Is(err, store.ErrReplayed) {
			t.Errorf("replay %d: %v", i, err)
		}
	}
	dead(t, s, "r0")
}

// A stolen code is replayed by somebody who cannot pass the check, and too late.
func TestAReplayEndsTheGrantWhoeverDoesIt(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	refuse := func(store.Code) error { return errors.New("another client's") }
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, refuse, nil); !errors.Is(err, store.ErrReplayed) {
		t.Errorf("error %v, want ErrReplayed", err)
	}
	dead(t, s, "r0")
}

func TestACodeThatIsRefusedStaysGood(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := s.AddCode(t.Context(), hash("code"), signIn("g-1")); err != nil {
		t.Fatal(err)
	}
	refused, r := errors.New("wrong verifier"), refresh("r0")
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, func(store.Code) error { return refused }, &r); !errors.Is(err, refused) {
		t.Errorf("error %v, want the check's", err)
	}
	if _, err := s.RefreshGrant(t.Context(), r.Hash, now); !errors.Is(err, store.ErrNone) {
		t.Errorf("the refused redemption left a refresh token: %v", err)
	}
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, anyCode, &r); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
}

func TestWhatIsWrongWithACode(t *testing.T) {
	t.Parallel()
	never := func(store.Code) error { t.Error("the check was asked"); return nil }
	tests := map[string]struct {
		code string
		at   time.Time
		end  bool
		want error
	}{
		"it is not known":         {"another", now, false, store.ErrNone},
		"it is too late":          {"code", now.Add(time.Minute), false, store.ErrExpired},
		"its grant is over":       {"code", now.Add(12 * time.Hour), false, store.ErrExpired},
		"its grant was ended":     {"code", now, true, store.ErrNone},
		"its hash is nearly that": {"code ", now, false, store.ErrNone},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			if err := s.AddCode(t.Context(), hash("code"), signIn("g-1")); err != nil {
				t.Fatal(err)
			}
			if test.end {
				if err := s.EndGrant(t.Context(), "g-1", now, now.Add(store.LongestToken)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.RedeemCode(t.Context(), hash(test.code), test.at, never, nil); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestACodeWithoutItsGrantIsNotStored(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := s.AddCode(t.Context(), hash("code"), signIn("g-1")); err != nil {
		t.Fatal(err)
	}
	if err := s.AddCode(t.Context(), hash("another"), signIn("g-1")); err == nil {
		t.Error("a second grant of the same id was stored")
	}
	if _, err := s.RedeemCode(t.Context(), hash("another"), now, anyCode, nil); !errors.Is(err, store.ErrNone) {
		t.Errorf("its code: %v, want ErrNone", err)
	}
}

// race calls try 100 times at once, on two stores of one file as two processes
// would have, and fails unless exactly one wins and all others see ErrReplayed.
func race(t *testing.T, dir string, try func(s *store.Store, i int) error) {
	t.Helper()
	stores := []*store.Store{open(t, dir), open(t, dir)}
	start := make(chan struct{})
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			<-start
			errs[i] = try(stores[i%2], i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, store.ErrReplayed) {
			t.Errorf("try %d: %v, want ErrReplayed", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 100 won, want 1", won)
	}
}

func TestOfAHundredRedemptionsOfACodeOneSucceeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.AddCode(t.Context(), hash("code"), signIn("g-1")); err != nil {
		t.Fatal(err)
	}
	race(t, dir, func(s *store.Store, i int) error {
		r := refresh(fmt.Sprintf("r%d", i))
		_, err := s.RedeemCode(context.Background(), hash("code"), now, anyCode, &r)
		return err
	})
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("r%d", i))
	}
	dead(t, s, all...)
}

func TestOfAHundredRotationsOfARefreshTokenOneSucceeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := redeemed(t, dir)
	race(t, dir, func(s *store.Store, i int) error {
		_, err := s.RotateRefresh(context.Background(), hash("r0"), now, anyGrant, refresh(fmt.Sprintf("next%d", i)))
		return err
	})
	all := []string{"r0"}
	for i := range 100 {
		all = append(all, fmt.Sprintf("next%d", i))
	}
	dead(t, s, all...)
}

func TestOfAHundredUsesOfAnAssertionOneIsTheFirst(t *testing.T) {
	t.Parallel()
	race(t, t.TempDir(), func(s *store.Store, _ int) error {
		first, err := s.UseAssertion(context.Background(), "search", "jti", now)
		if err == nil && !first {
			return store.ErrReplayed
		}
		return err
	})
}

func TestRefreshTokensFollowEachOther(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	for i := range 3 {
		old, next := fmt.Sprintf("r%d", i), fmt.Sprintf("r%d", i+1)
		got, err := s.RotateRefresh(t.Context(), hash(old), now, anyGrant, refresh(next))
		if err != nil || !reflect.DeepEqual(got, signIn("g-1").Grant) {
			t.Fatalf("%s: %+v, %v", old, got, err)
		}
		if got, err := s.RefreshGrant(t.Context(), hash(next), now); err != nil || got.ID != "g-1" {
			t.Errorf("%s: %+v, %v", next, got, err)
		}
		if got, err := s.RefreshGrant(t.Context(), hash(old), now); !errors.Is(err, store.ErrReplayed) || got.ID != "g-1" {
			t.Errorf("%s after its use: %+v, %v", old, got, err)
		}
	}
	if _, err := s.RotateRefresh(t.Context(), hash("r1"), now, anyGrant, refresh("stolen")); !errors.Is(err, store.ErrReplayed) {
		t.Errorf("a used one: %v, want ErrReplayed", err)
	}
	dead(t, s, "r0", "r1", "r2", "r3", "stolen")
}

func TestWhatIsWrongWithARefreshToken(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	short := store.Refresh{Hash: hash("r1"), Expires: now.Add(time.Minute)}
	refused := errors.New("another client's")
	if _, err := s.RotateRefresh(t.Context(), hash("r0"), now, func(store.Grant) error { return refused }, short); !errors.Is(err, refused) {
		t.Errorf("error %v, want the check's", err)
	}
	if _, err := s.RotateRefresh(t.Context(), hash("unknown"), now, anyGrant, short); !errors.Is(err, store.ErrNone) {
		t.Errorf("error %v, want ErrNone", err)
	}
	if _, err := s.RotateRefresh(t.Context(), hash("r0"), now.Add(12*time.Hour), anyGrant, short); !errors.Is(err, store.ErrExpired) {
		t.Errorf("error %v, want ErrExpired", err)
	}
	if _, err := s.RotateRefresh(t.Context(), hash("r0"), now, anyGrant, short); err != nil {
		t.Errorf("three refusals used it up: %v", err)
	}
	if _, err := s.RefreshGrant(t.Context(), hash("r1"), now.Add(time.Minute)); !errors.Is(err, store.ErrExpired) {
		t.Errorf("error %v, want ErrExpired", err)
	}
	if len(revocations(t, s)) != 0 {
		t.Error("a refusal revoked something")
	}
}

func TestAssertionsOfDifferentClientsAreDifferent(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, pair := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"a\x00b", "c"}, {"a", "\x00bc"}} {
		if first, err := s.UseAssertion(t.Context(), pair[0], pair[1], now); err != nil || !first {
			t.Errorf("%q: %t, %v, want the first time", pair, first, err)
		}
		if first, err := s.UseAssertion(t.Context(), pair[0], pair[1], now); err != nil || first {
			t.Errorf("%q again: %t, %v", pair, first, err)
		}
	}
}
