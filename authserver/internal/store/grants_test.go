package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func TestEndingAGrant(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	for range 2 {
		if err := s.EndGrant(t.Context(), "g-1", now, now.Add(store.LongestToken)); err != nil {
			t.Fatal(err)
		}
	}
	dead(t, s, "r0")
	if err := s.EndGrant(t.Context(), "g-2", now, now); !errors.Is(err, store.ErrNone) {
		t.Errorf("an unknown one: %v, want ErrNone", err)
	}
}

func TestEndingTheGrantsOfASubject(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	add := func(id, subject, client string, redeem bool) {
		c := signIn(id)
		c.Grant.Subject, c.Grant.Client = subject, client
		if err := s.AddCode(t.Context(), hash(id), c); err != nil {
			t.Fatal(err)
		}
		if !redeem {
			return
		}
		if _, err := s.RedeemCode(t.Context(), hash(id), now, anyCode, nil); err != nil {
			t.Fatal(err)
		}
	}
	add("a", "u-7", "booking", true)
	add("b", "u-7", "booking", true)
	add("c", "u-7", "kiosk", true)
	add("not redeemed", "u-7", "kiosk", false)
	add("d", "u-9", "booking", false)
	ended := func() (ids []string) {
		for _, r := range revocations(t, s) {
			ids = append(ids, r.Value)
		}
		return ids
	}
	for _, step := range []struct {
		client string
		want   []string
	}{{"nobody", nil}, {"booking", []string{"a", "b"}}, {"booking", []string{"a", "b"}}, {"", []string{"a", "b", "c"}}} {
		if err := s.EndGrants(t.Context(), "u-7", step.client, now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := ended(); !reflect.DeepEqual(got, step.want) {
			t.Errorf("at %q: ended are %q, want %q", step.client, got, step.want)
		}
	}
	if _, err := s.RedeemCode(t.Context(), hash("not redeemed"), now, anyCode, nil); !errors.Is(err, store.ErrNone) {
		t.Errorf("a code of an ended grant: %v", err)
	}
	if _, err := s.RedeemCode(t.Context(), hash("d"), now, anyCode, nil); err != nil {
		t.Errorf("a code of somebody else: %v", err)
	}
}

func TestWhoAsksForCodesAllDayFillsNeitherTheDatabaseNorTheListOfRevocations(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	add := func(i int) string {
		id := fmt.Sprintf("g-%d", i)
		c := signIn(id)
		c.Grant.Created = now.Add(time.Duration(i) * time.Millisecond)
		if err := s.AddCode(t.Context(), hash(id), c); err != nil {
			t.Fatal(err)
		}
		return id
	}
	other := signIn("another's")
	other.Grant.Subject = "u-9"
	if err := s.AddCode(t.Context(), hash("another's"), other); err != nil {
		t.Fatal(err)
	}
	const pending = store.MaxPending
	for i := range 3 * pending {
		add(i)
	}
	redeem := func(id string) error {
		_, err := s.RedeemCode(t.Context(), hash(id), now, anyCode, nil)
		return err
	}
	if err := redeem(fmt.Sprintf("g-%d", 2*pending-1)); !errors.Is(err, store.ErrNone) {
		t.Errorf("an old code is there among so many: %v", err)
	}
	for i := 2 * pending; i < 3*pending; i++ {
		if err := redeem(fmt.Sprintf("g-%d", i)); err != nil {
			t.Errorf("code %d: %v", i, err)
		}
	}
	if got := revocations(t, s); len(got) != 0 {
		t.Errorf("codes that nobody redeemed leave %d revocations", len(got))
	}
	for i := 3 * pending; i < 2*pending+store.MaxGrants+1; i++ {
		if err := redeem(add(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := revocations(t, s); len(got) != 1 || got[0].Value != fmt.Sprintf("g-%d", 2*pending) {
		t.Errorf("one sign-in too many ends %+v, want the oldest", got)
	}
	if err := redeem("another's"); err != nil {
		t.Errorf("somebody else's code: %v", err)
	}
}

func TestACodeThatNobodyRedeemedTakesItsGrantAlong(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, id := range []string{"used", "unused"} {
		if err := s.AddCode(t.Context(), hash(id), signIn(id)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RedeemCode(t.Context(), hash("used"), now, anyCode, nil); err != nil {
		t.Fatal(err)
	}
	if rows, err := s.Purge(t.Context(), now.Add(2*time.Minute)); rows != 3 || err != nil {
		t.Errorf("%d rows are purged, want two codes and a grant: %v", rows, err)
	}
	if err := s.EndGrants(t.Context(), "u-7", "", now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := revocations(t, s); len(got) != 1 || got[0].Value != "used" {
		t.Errorf("ended are %+v", got)
	}
}
