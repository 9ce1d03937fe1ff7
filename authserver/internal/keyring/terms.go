package keyring

import (
	"fmt"
	"time"
)

const (
	// DefaultPeriod is how long a key signs.
	DefaultPeriod = 30 * 24 * time.Hour
	// DefaultPublish is how long a key is shown before it signs. The key set may
	// be kept for five minutes: by a shared cache, and by a verifier that asks
	// that cache just before it lets go, with a tenth of jitter: eleven minutes.
	// A verifier that ignores the field trusts a set for a quarter of an hour.
	// It costs nothing to wait for either: the next key is made long ahead.
	DefaultPublish = 20 * time.Minute
	// DefaultKeep is how long a key is shown after it last signed: the longest
	// life of a token (an hour), a verifier's slack (30 seconds), the time for
	// which another process may sign without having heard of the change (deaf),
	// and some room.
	DefaultKeep = 70 * time.Minute
	// deaf is for how long a ring goes on signing when it cannot read its
	// storage: it would not learn that its key is revoked.
	deaf = 5 * time.Minute
)

// Terms say how long a key is what. A zero one is its default.
type Terms struct {
	Period, Publish, Keep time.Duration
}

// filled puts in the defaults.
func (t Terms) filled() (Terms, error) {
	for _, v := range []struct {
		name  string
		value *time.Duration
		usual time.Duration
	}{{"period", &t.Period, DefaultPeriod}, {"publish", &t.Publish, DefaultPublish}, {"keep", &t.Keep, DefaultKeep}} {
		if *v.value < 0 {
			return Terms{}, fmt.Errorf("the time %q of signing keys is %v: it cannot be negative", v.name, *v.value)
		}
		if *v.value == 0 {
			*v.value = v.usual
		}
	}
	if t.Period < t.Publish {
		return Terms{}, fmt.Errorf("signing keys would sign for %v and need %v before they may: make the period longer than the time of publication", t.Period, t.Publish)
	}
	return t, nil
}

// Kind is what happens to a key.
type Kind string

// The changes of a key. Made also publishes: the storage is the key set.
const (
	Made     Kind = "made"     // published; the very first one signs, too
	Promoted Kind = "promoted" // signs from now on
	Retired  Kind = "retired"  // signs no more, is still published
	Replaced Kind = "replaced" // leaves without ever having signed
	Removed  Kind = "removed"  // no longer published: no token of it lives
	Revoked  Kind = "revoked"  // no longer published, whatever lives
)

// Change is something that happens to one key.
type Change struct {
	Kind Kind
	// ID is empty in the wish for a key that is not made yet.
	ID        string
	Algorithm string
}
