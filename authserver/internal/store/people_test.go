package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

func hashed(n int) [32]byte { return [32]byte{byte(n), byte(n >> 8), 1} }

// ada signs up with the password hash "old".
func ada(t *testing.T, s *store.Store, now time.Time) store.Person {
	t.Helper()
	if err := s.SignUp(t.Context(), store.Person{ID: "u-ada", Email: "ada@hotel.example", Password: "old", Created: now},
		store.Mail{Address: "ada@hotel.example", Purpose: store.PurposeSignUp, Created: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p, err := s.PersonByEmail(t.Context(), "ada@hotel.example")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func link(t *testing.T, s *store.Store, n int, purpose store.Purpose, now time.Time) {
	t.Helper()
	if err := s.AddMailToken(t.Context(), hashed(n), "u-ada", purpose, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, s *store.Store, n int, password string, now time.Time) error {
	t.Helper()
	return s.AddSession(t.Context(), store.Session{Hash: hashed(n), Account: "u-ada", Created: now, Seen: now, Expires: now.Add(time.Hour), AuthTime: now}, password, [32]byte{})
}

func TestALinkIsUsedOnceByManyProcesses(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	both := []*store.Store{open(t, dir), open(t, dir)}
	ada(t, both[0], now)
	link(t, both[0], 1, store.PurposeReset, now)
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			p, err := both[i%2].Reset(t.Context(), hashed(1), fmt.Sprint("new", i), now)
			switch {
			case err == nil:
				won.Add(1)
				if p.ID != "u-ada" || p.Verified.IsZero() || p.Password != fmt.Sprint("new", i) {
					t.Errorf("the winner got %+v", p)
				}
			case !errors.Is(err, store.ErrNone):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of a hundred have used the link, want one", won.Load())
	}
}

func TestALinkConfirmsOnlyThePasswordThatWasChecked(t *testing.T) {
	t.Parallel()
	s, now := open(t, t.TempDir()), time.Now()
	ada(t, s, now)
	link(t, s, 1, store.PurposeVerify, now)
	if _, err := s.Verify(t.Context(), hashed(1), "another", now); !errors.Is(err, store.ErrNone) {
		t.Errorf("error %v, want ErrNone", err)
	}
	if p, err := s.Verify(t.Context(), hashed(1), "old", now); err != nil || p.Verified.IsZero() {
		t.Errorf("the link was used up by what it refused: %v", err)
	}
	if _, err := s.Verify(t.Context(), hashed(1), "old", now); !errors.Is(err, store.ErrNone) {
		t.Errorf("a link works twice: %v", err)
	}
}

func TestNoSessionOutlivesAReset(t *testing.T) {
	t.Parallel()
	s, now := open(t, t.TempDir()), time.Now()
	ada(t, s, now)
	if err := begin(t, s, 1, "old", now); err != nil {
		t.Fatal(err)
	}
	link(t, s, 9, store.PurposeReset, now)
	if _, err := s.Reset(t.Context(), hashed(9), "new", now); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Session(t.Context(), hashed(1), now, time.Hour); !errors.Is(err, store.ErrNone) {
		t.Errorf("the session from before: %v", err)
	}
	// Its password was checked before the reset, it is stored after.
	if err := begin(t, s, 2, "old", now); !errors.Is(err, store.ErrNone) {
		t.Errorf("a session with the old password was stored: %v", err)
	}
}

func TestAnAccountHasItsNewestTwentySessions(t *testing.T) {
	t.Parallel()
	s, now := open(t, t.TempDir()), time.Now()
	ada(t, s, now)
	for i := range 25 {
		if err := begin(t, s, i, "old", now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Sessions(t.Context(), "u-ada", now, time.Hour)
	if err != nil || len(list) != 20 || list[0].Hash != hashed(24) || list[19].Hash != hashed(5) {
		t.Errorf("%d sessions: %v", len(list), err)
	}
}

func TestSigningUpAgainChangesOnlyWhatIsNotConfirmed(t *testing.T) {
	t.Parallel()
	s, now := open(t, t.TempDir()), time.Now()
	again := func(password string) store.Person {
		if err := s.SignUp(t.Context(), store.Person{ID: "u-other", Email: "ada@hotel.example", Password: password, Created: now},
			store.Mail{Address: "ada@hotel.example", Purpose: store.PurposeSignUp, Created: now, Expires: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		return ada(t, s, now)
	}
	ada(t, s, now)
	if p := again("second"); p.ID != "u-ada" {
		t.Errorf("the account is %+v", p)
	}
	link(t, s, 1, store.PurposeVerify, now)
	if _, err := s.Verify(t.Context(), hashed(1), "old", now); err != nil { // ada signed up last
		t.Fatal(err)
	}
	if p := again("third"); p.Password != "old" {
		t.Errorf("signing up has changed a confirmed account: %+v", p)
	}
}

func TestAMailIsTakenByOneAndComesBackUntilItIsDone(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	both := []*store.Store{open(t, dir), open(t, dir)}
	ada(t, both[0], now)
	wait := func(attempts int) time.Duration { return time.Duration(attempts) * time.Minute }
	m, err := both[0].TakeMail(t.Context(), now, wait)
	if err != nil || m.Address != "ada@hotel.example" || m.Purpose != store.PurposeSignUp || m.Attempts != 1 {
		t.Fatalf("%+v: %v", m, err)
	}
	if _, err := both[1].TakeMail(t.Context(), now, wait); !errors.Is(err, store.ErrNone) {
		t.Errorf("it was taken twice: %v", err)
	}
	if m, err = both[1].TakeMail(t.Context(), now.Add(time.Minute), wait); err != nil || m.Attempts != 2 {
		t.Fatalf("it does not come back: %v", err)
	}
	if err := both[1].MailDone(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := both[0].TakeMail(t.Context(), now.Add(time.Hour), wait); !errors.Is(err, store.ErrNone) {
		t.Errorf("it comes back when it is done: %v", err)
	}
}

func TestWhatHasExpiredIsPurgedAndNothingElse(t *testing.T) {
	t.Parallel()
	s, now := open(t, t.TempDir()), time.Now()
	ada(t, s, now)
	if err := begin(t, s, 1, "old", now); err != nil {
		t.Fatal(err)
	}
	link(t, s, 1, store.PurposeVerify, now)
	if n, err := s.Purge(t.Context(), now.Add(59*time.Minute)); n != 0 || err != nil {
		t.Errorf("%d rows went early: %v", n, err)
	}
	if n, err := s.Purge(t.Context(), now.Add(time.Hour+time.Millisecond)); n != 3 || err != nil {
		t.Errorf("%d rows, want the session, the link and the mail: %v", n, err)
	}
	if n, err := s.Purge(t.Context(), now.Add(7*24*time.Hour+time.Millisecond)); n != 1 || err != nil {
		t.Errorf("%d rows, want the account that was never confirmed: %v", n, err)
	}
}
