package tokentest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portcullis/authserver/token"
)

// beat is how often a stream says that nothing has happened.
const beat = 2 * time.Second

// feed is what the issuer has revoked.
type feed struct {
	epoch string
	set   *token.Revocations
	ended chan struct{}

	mu      sync.Mutex
	entries []token.Revocation
	changed chan struct{} // closed when there is something to look at
}

func (f *feed) begin() {
	f.epoch, f.set = rand.Text(), token.NewLocalRevocations()
	f.ended, f.changed = make(chan struct{}), make(chan struct{})
}

func (f *feed) end() { close(f.ended) }

// wake makes every stream look again.
func (f *feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// after returns what follows seq, and what tells that there is more.
func (f *feed) after(seq int64) ([]token.Revocation, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.entries[min(max(seq, 0), int64(len(f.entries))):]), f.changed
}

// RevocationsURL is where the issuer publishes what it has revoked.
func (i *Issuer) RevocationsURL() string { return i.URL + "/revocations" }

// Revoke publishes a revocation and returns it with its number. Until may be
// left out: an hour from now.
func (i *Issuer) Revoke(v token.Revocation) token.Revocation {
	if v.Until == 0 {
		v.Until = time.Now().Add(time.Hour).Unix()
	}
	i.revoked.mu.Lock()
	v.Seq = int64(len(i.revoked.entries)) + 1
	i.revoked.entries = append(i.revoked.entries, v)
	i.revoked.mu.Unlock()
	i.revoked.set.Add(v)
	i.revoked.wake()
	return v
}

// Follow is what a verifier needs to hear of the issuer's revocations.
func (i *Issuer) Follow() token.RevocationsConfig {
	return token.RevocationsConfig{
		URL: i.RevocationsURL(), HTTP: i.HTTP(),
		Token: func(context.Context) (string, error) {
			return i.Mint(map[string]any{"aud": token.FeedAudience, "scope": token.FeedScope}), nil
		},
	}
}

// revocations is the feed, as a list or a stream. Any token is taken.
func (i *Issuer) revocations(w http.ResponseWriter, r *http.Request) {
	if _, err := token.Bearer(r.Header); err != nil {
		answer(w, http.StatusUnauthorized, map[string]any{"code": "missing_token"})
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		entries, _ := i.revoked.after(0)
		answer(w, http.StatusOK, map[string]any{"epoch": i.revoked.epoch, "seq": len(entries), "entries": entries})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("after")
	}
	seq := int64(0)
	if epoch, number, _ := strings.Cut(from, ":"); epoch == i.revoked.epoch {
		seq, _ = strconv.ParseInt(number, 10, 64) // what cannot be read begins at the beginning
	}
	i.stream(w, r, seq)
}

func (i *Issuer) stream(w http.ResponseWriter, r *http.Request, seq int64) {
	flush := http.NewResponseController(w).Flush
	beats := time.NewTicker(beat)
	defer beats.Stop()
	all, _ := i.revoked.after(0)
	fmt.Fprintf(w, "event: state\ndata: {\"epoch\":%q,\"seq\":%d}\n\n", i.revoked.epoch, len(all))
	for first := true; ; first = false {
		entries, changed := i.revoked.after(seq)
		for _, v := range entries {
			data, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(w, "id: %s:%d\nevent: revoked\ndata: %s\n\n", i.revoked.epoch, v.Seq, data)
			seq = v.Seq
		}
		if first {
			i.beat(w, seq) // whoever came is told at once that it has everything
		}
		if i.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-beats.C:
			i.beat(w, seq)
		case <-r.Context().Done():
			return
		case <-i.revoked.ended:
			return
		}
	}
}

func (i *Issuer) beat(w http.ResponseWriter, seq int64) {
	fmt.Fprintf(w, "event: beat\ndata: {\"seq\":%d}\n\n", seq)
}
