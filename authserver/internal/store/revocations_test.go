package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

func TestRevocationsAreNumberedAndKeptOnce(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	steps := []struct {
		name  string
		entry token.Revocation
		seq   int64
		until int64
	}{
		{"a token", token.Revocation{Kind: "token", Value: "j1", Until: 100}, 1, 100},
		{"the same again", token.Revocation{Kind: "token", Value: "j1", Until: 100}, 1, 100},
		{"the same, to be kept less long", token.Revocation{Kind: "token", Value: "j1", Until: 90}, 1, 100},
		{"the same, to be kept longer", token.Revocation{Kind: "token", Value: "j1", Until: 110}, 2, 110},
		{"a client of that name", token.Revocation{Kind: "client", Value: "j1", Before: 50, Until: 100}, 3, 100},
		{"that client later", token.Revocation{Kind: "client", Value: "j1", Before: 60, Until: 100}, 4, 100},
		{"everything", token.Revocation{Kind: "all", Before: 60, Until: 100}, 5, 100},
	}
	for _, step := range steps {
		want := step.entry
		want.Seq, want.Until = step.seq, step.until
		if got, err := s.Revoke(t.Context(), step.entry); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", step.name, got, err, want)
		}
	}
	_, head, entries, err := s.Revocations(t.Context(), 3)
	if err != nil || head != 5 || len(entries) != 2 || entries[0].Seq != 4 || entries[1].Kind != "all" {
		t.Errorf("after 3: head %d, %+v, %v", head, entries, err)
	}
	for name, entry := range map[string]token.Revocation{
		"of no known kind": {Kind: "everyone", Value: "x"},
		"that is too long": {Kind: "token", Value: strings.Repeat("é", 257)},
	} {
		if got, err := s.Revoke(t.Context(), entry); err == nil {
			t.Errorf("one %s was taken: %+v", name, got)
		}
	}
}

func TestTheEpochIsTheDatabases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	epoch := func(s *store.Store) string {
		e, head, _, err := s.Revocations(t.Context(), 0)
		if err != nil || head != 0 || len(e) != 32 {
			t.Fatalf("epoch %q, head %d: %v", e, head, err)
		}
		return e
	}
	first := open(t, dir)
	e := epoch(first)
	first.Close()
	if got := epoch(open(t, dir)); got != e {
		t.Errorf("after a restart the epoch is %q, want %q", got, e)
	}
	if got := epoch(open(t, t.TempDir())); got == e {
		t.Error("another database has the same epoch")
	}
}

// A follower that has seen number 7 asks for what came after 7: an entry that
// appeared later with a lower number would be lost for good.
func TestNoRevocationAppearsBehindANewerOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*store.Store{open(t, dir), open(t, dir)}
	reader := open(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				entry := token.Revocation{Kind: "token", Value: fmt.Sprintf("%d-%d", i, j), Until: 1}
				if _, err := stores[i%2].Revoke(context.Background(), entry); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var last int64
	for last < 200 && t.Context().Err() == nil && !t.Failed() {
		_, head, entries, err := reader.Revocations(t.Context(), last)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Seq != last+1 {
				t.Fatalf("number %d follows %d", e.Seq, last)
			}
			last = e.Seq
		}
		if head != last {
			t.Fatalf("the head is %d and the newest entry %d", head, last)
		}
	}
	wg.Wait()
}

func TestChangedTellsOfEveryWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	expect := func(when string, want bool) {
		t.Helper()
		if got, err := s.Changed(t.Context()); err != nil || got != want {
			t.Errorf("%s: %t, %v, want %t", when, got, err, want)
		}
	}
	expect("the first time", true)
	expect("nothing happened", false)
	if err := s.Disable(t.Context(), "a", now); err != nil {
		t.Fatal(err)
	}
	expect("we wrote", true)
	expect("nothing happened since", false)
	if err := other.Disable(t.Context(), "b", now); err != nil {
		t.Fatal(err)
	}
	expect("another process wrote", true)
	expect("nothing happened since then", false)
	if _, err := s.Credentials(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	expect("we read", false)
}

func TestPurgeRemovesWhatCannotMatterAnyMore(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir()) // a used code until 1 min, a grant and a refresh token until 12 h
	if _, err := s.UseAssertion(t.Context(), "search", "jti", now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	entry, err := s.Revoke(t.Context(), token.Revocation{Kind: "token", Value: "j", Until: now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	replay := func() error {
		_, err := s.RedeemCode(t.Context(), hash("code"), now, anyCode, nil)
		return err
	}
	steps := []struct {
		name  string
		after time.Duration
		rows  int
	}{
		{"at once", 0, 0},
		{"the code has expired", time.Minute + time.Millisecond, 1},
		{"the assertion, and the clocks of others", 2*time.Minute + time.Millisecond, 1},
		{"the revocation", time.Hour + time.Second, 1},
		{"the refresh token", 12*time.Hour + time.Second, 1},
		{"the grant's last access token lives", 13 * time.Hour, 0},
		{"and is dead", 13*time.Hour + time.Minute, 1},
		{"nothing is left", 1000 * time.Hour, 0},
	}
	for _, step := range steps {
		if rows, err := s.Purge(t.Context(), now.Add(step.after)); err != nil || rows != step.rows {
			t.Errorf("%s: %d rows, %v, want %d", step.name, rows, err, step.rows)
		}
	}
	if err := replay(); !errors.Is(err, store.ErrNone) {
		t.Errorf("a purged code: %v", err)
	}
	_, head, entries, err := s.Revocations(t.Context(), 0)
	if err != nil || head != entry.Seq || len(entries) != 0 {
		t.Errorf("head %d, %+v, %v, want the head to stay", head, entries, err)
	}
	next, err := s.Revoke(t.Context(), token.Revocation{Kind: "token", Value: "k", Until: 1})
	if err != nil || next.Seq != head+1 {
		t.Errorf("the next is %d: %v, want no number used twice", next.Seq, err)
	}
}

func TestPurgeGoesThroughMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	const n = 2*store.PurgeBatch + 7
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := i; j < n; j += 32 {
				if _, err := s.UseAssertion(context.Background(), "search", fmt.Sprint(j), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if rows, err := s.Purge(t.Context(), now.Add(time.Hour)); err != nil || rows != n {
		t.Errorf("%d rows, %v, want %d", rows, err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Purge(ctx, now); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the context ended", err)
	}
}

func TestTwoSignInsAreTwoGrants(t *testing.T) {
	t.Parallel()
	s := redeemed(t, t.TempDir())
	second := signIn("g-2")
	if err := s.AddCode(t.Context(), hash("code 2"), second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RedeemCode(t.Context(), hash("code"), now, anyCode, nil); !errors.Is(err, store.ErrReplayed) {
		t.Fatal(err)
	}
	got, err := s.RedeemCode(t.Context(), hash("code 2"), now, anyCode, nil)
	if err != nil || !reflect.DeepEqual(got, second.Grant) {
		t.Errorf("the other sign-in died too: %+v, %v", got, err)
	}
}

func TestAnEntryThatNoVerifierCanObeyIsNotRecorded(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for name, r := range map[string]token.Revocation{
		"an id with a blank behind it, as it comes out of a terminal": {Kind: "token", Value: "ABC ", Until: 4102444800},
		"a name with a line break":                                    {Kind: "client", Value: "demo\n", Before: 1, Until: 4102444800},
		"a name longer than any token's":                              {Kind: "subject", Value: strings.Repeat("x", 257), Before: 1, Until: 4102444800},
		"nothing":                                                     {Kind: "token", Until: 4102444800},
		"all of something":                                            {Kind: "all", Value: "x", Before: 1, Until: 4102444800},
		"something that is to be kept never":                          {Kind: "token", Value: "ABC"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Revoke(t.Context(), r); err == nil {
				t.Error("it is recorded, and whoever follows the list believes nobody any more")
			}
		})
	}
	if _, _, entries, err := s.Revocations(t.Context(), 0); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
