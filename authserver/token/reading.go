package token

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-jose/go-jose/v4/json"
)

// cursor is a place in an issuer's revocations: a number, and which database
// gave it.
type cursor struct {
	epoch string
	seq   int64
}

// String is the id of an event.
func (c cursor) String() string { return c.epoch + ":" + strconv.FormatInt(c.seq, 10) }

// checkEpoch bounds what becomes a header field of ours.
func checkEpoch(epoch string) error {
	if !isScope(epoch) || len(epoch) > maxKeyID {
		return errors.New("the epoch is not a short word")
	}
	return nil
}

var errRewound = errors.New("the issuer's revocations end before those known here: its database went back in time, all are read anew")

// reading is one connection's way through the events.
type reading struct {
	r    *Revocations
	from cursor
	// at is the last place taken in; aside is the set that is built beside the
	// one in use while all of the issuer's are read anew, nil otherwise.
	at    cursor
	aside *revoked
	// head is what the issuer had when the connection began; once we have it
	// too, the list is complete, and only then is anything news.
	head     int64
	complete bool
}

// take is one event.
func (g *reading) take(e sse) error {
	if (e.name == "state") == (g.at.epoch != "") {
		return fmt.Errorf("the stream of revocations has the event %.20q out of place", e.name)
	}
	switch e.name {
	case "state":
		return g.state(e)
	case "revoked":
		return g.revoked(e)
	case "beat":
		// Whatever was there before the beat has been sent, though it may have
		// been nothing: what ended in the meantime is not sent any more.
		return g.news()
	}
	return nil // a kind of event that later issuers may have
}

func (g *reading) state(e sse) error {
	var state struct {
		Epoch string `json:"epoch"`
		Seq   int64  `json:"seq"`
	}
	if err := json.Unmarshal([]byte(e.data), &state); err != nil {
		return errors.New("the state of the revocations is malformed")
	}
	if err := checkEpoch(state.Epoch); err != nil {
		return err
	}
	g.head = state.Seq
	switch {
	case state.Epoch != g.from.epoch: // another database, or our first connection
		g.at, g.aside = cursor{state.Epoch, 0}, newRevoked()
	case state.Seq < g.from.seq:
		// A copy put back would give old numbers to new revocations, and we
		// would not hear of them.
		g.r.restart()
		return errRewound
	default:
		g.at = g.from
	}
	if g.at.seq == g.head {
		return g.news()
	}
	return nil
}

func (g *reading) revoked(e sse) error {
	var v Revocation
	if err := json.Unmarshal([]byte(e.data), &v); err != nil {
		return errors.New("a revocation is malformed")
	}
	if err := v.Check(); err != nil {
		return err
	}
	if e.id != (cursor{g.at.epoch, v.Seq}).String() || v.Seq <= g.at.seq {
		return fmt.Errorf("revocation %d has the id %.60q, after %s", v.Seq, e.id, g.at)
	}
	g.at.seq = v.Seq
	if g.aside != nil {
		if err := g.aside.add(v, g.r.cfg.Now().Unix()); err != nil {
			g.r.overflow(err)
			return err
		}
	} else if err := g.r.take(v); err != nil { // heeded at once, also before the list is complete
		return err
	}
	if g.complete || g.at.seq >= g.head {
		return g.news()
	}
	return nil
}

// news notes that the list is complete and fresh.
func (g *reading) news() error {
	g.complete = true
	g.r.swap(g.aside, g.at)
	g.aside = nil
	return nil
}

// take adds one revocation of the issuer's to the set in use.
func (r *Revocations) take(v Revocation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.put(v); err != nil {
		r.epoch, r.seq = "", 0 // what did not fit is lost: all must be read anew
		return err
	}
	return nil
}

// swap notes that the issuer was heard and puts set, unless it is nil, in place
// of the one in use.
func (r *Revocations) swap(set *revoked, at cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changes := uint64(0)
	if set != nil {
		r.set, r.incomplete, changes = set, false, 1
	}
	r.epoch, r.seq = at.epoch, at.seq
	if r.heard.IsZero() {
		defer close(r.first)
	}
	r.heard, r.err = r.cfg.Now(), nil
	r.publish(changes)
	if r.lost {
		r.lost = false
		r.cfg.Log.Info("an issuer's revocations are followed again", "url", r.cfg.URL)
	}
}

// restart makes the next connection read everything anew. What is known is
// heeded until then.
func (r *Revocations) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch, r.seq = "", 0
}

// overflow notes that the issuer has more revocations than can be kept.
func (r *Revocations) overflow(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incomplete, r.err, r.epoch, r.seq = true, err, "", 0
	r.publish(0)
}
