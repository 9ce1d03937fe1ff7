package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

const (
	// maxReconnect bounds the wait between two connections to an issuer that
	// does not answer; minReconnect spares one that restarts.
	maxReconnect = 5 * time.Second
	minReconnect = 100 * time.Millisecond
	// firstEvent is how long a stream may say nothing before we take it that
	// something on the way holds it back, and read the list instead.
	firstEvent = 5 * time.Second
	// maxSilence ends a connection without an event; the issuer sends a beat
	// every two seconds. A connection that died on the way says nothing.
	maxSilence = 6 * time.Second
	// pollEvery is how often the list is read where the stream cannot be had,
	// pollFor how long until the stream is tried again.
	pollEvery = time.Second
	pollFor   = 5 * time.Minute
	// listTimeout bounds one reading of the list, maxList its bytes: a million
	// revocations have a hundred bytes each.
	listTimeout = 30 * time.Second
	maxList     = 128 << 20
)

// errNoStream says that the issuer answers, but not with a stream that flows.
var errNoStream = errors.New("no event came: something on the way may hold the stream back")

// Run follows the issuer's revocations until ctx ends. A connection that is lost
// is made anew and goes on where it stood.
func (r *Revocations) Run(ctx context.Context) {
	for failures := 0; ; {
		news, err := r.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if news {
			failures = 0
		}
		failures++
		r.ended(err, failures)
		if !pause(ctx, reconnect(failures)) {
			return
		}
	}
}

// reconnect doubles with each failure in a row; the jitter keeps many verifiers
// from coming back to an issuer at the same moment.
func reconnect(failures int) time.Duration {
	d := min(minReconnect<<min(failures-1, 10), maxReconnect)
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ended keeps why the issuer is not heard, and logs it once it is more than a
// restart.
func (r *Revocations) ended(err error, failures int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	if err == nil || failures < 2 || r.lost {
		return
	}
	r.lost = true
	r.cfg.Log.Warn("an issuer's revocations cannot be followed", "url", r.cfg.URL, "error", clip(err))
}

// follow is one connection, or one spell of reading the list. It reports whether
// anything was heard, and why it ended.
func (r *Revocations) follow(ctx context.Context) (news bool, err error) {
	news, err = r.stream(ctx)
	if !errors.Is(err, errNoStream) {
		return news, err
	}
	r.setPolling(true)
	defer r.setPolling(false)
	for end := time.Now().Add(pollFor); time.Now().Before(end); {
		if err := r.list(ctx); err != nil {
			return news, err
		}
		news = true
		if !pause(ctx, pollEvery) {
			break
		}
	}
	return news, nil
}

func (r *Revocations) setPolling(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.polling = on
}

// stream reads events until the connection ends.
func (r *Revocations) stream(ctx context.Context) (news bool, err error) {
	bearer, err := r.cfg.Token(ctx)
	if err != nil {
		return false, fmt.Errorf("a token to follow the revocations with: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(firstEvent, cancel)
	defer watch.Stop()

	r.mu.RLock()
	from := cursor{r.epoch, r.seq}
	r.mu.RUnlock()
	resp, err := r.get(ctx, bearer, "text/event-stream", from)
	if err != nil {
		return false, r.silent(watch, err)
	}
	defer resp.Body.Close()
	// A type that cannot be read is empty; its parameters say nothing to us.
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "text/event-stream" {
		return false, fmt.Errorf("%w: the answer is %.60q", errNoStream, media)
	}
	events, way := newSSEReader(resp.Body), reading{r: r, from: from}
	for heard := false; ; heard = true {
		e, err := events.next()
		switch {
		case err != nil && !heard:
			return false, r.silent(watch, err)
		case err != nil && !watch.Stop():
			return way.complete, fmt.Errorf("the stream was silent for %s", maxSilence)
		case err != nil:
			return way.complete, fmt.Errorf("the stream of revocations ended: %w", err)
		}
		watch.Reset(maxSilence)
		if err := way.take(e); err != nil {
			return way.complete, err
		}
		r.forget()
	}
}

// silent tells a stream that said nothing in time from one that failed.
func (r *Revocations) silent(watch *time.Timer, err error) error {
	if !watch.Stop() {
		return errNoStream
	}
	return err
}

// list reads the whole list.
func (r *Revocations) list(ctx context.Context) error {
	bearer, err := r.cfg.Token(ctx)
	if err != nil {
		return fmt.Errorf("a token to read the revocations with: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(firstEvent, cancel)
	defer watch.Stop()
	resp, err := r.get(ctx, bearer, "application/json", cursor{})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	watch.Reset(listTimeout)
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	if err != nil {
		return fmt.Errorf("read the revocations: %s", clip(err))
	}
	if len(data) > maxList {
		return fmt.Errorf("the list of revocations has more than %d bytes", maxList)
	}
	return r.replace(data)
}

func (r *Revocations) get(ctx context.Context, bearer, accept string, from cursor) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for revocations: %s", clip(err))
	}
	req.Header.Set("Authorization", bearerScheme+bearer)
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Encoding", "identity") // a compressor may wait for more
	req.Header.Set("Cache-Control", "no-store")
	if from.epoch != "" {
		req.Header.Set("Last-Event-ID", from.String())
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for revocations: %s", clip(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	_ = resp.Body.Close() // what it says is not repeated
	if resp.StatusCode == http.StatusUnauthorized && r.cfg.Refused != nil {
		r.cfg.Refused(bearer)
	}
	if resp.StatusCode == http.StatusNotAcceptable {
		return nil, errNoStream
	}
	return nil, fmt.Errorf("ask for revocations at %s: the answer is %s", r.cfg.URL, resp.Status)
}

// replace takes the whole list in place of what was known.
func (r *Revocations) replace(data []byte) error {
	var list struct {
		Epoch   string       `json:"epoch"`
		Seq     int64        `json:"seq"`
		Entries []Revocation `json:"entries"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("the answer is not a list of revocations")
	}
	if err := checkEpoch(list.Epoch); err != nil || list.Seq < 0 {
		return errors.New("the list of revocations does not say which it is")
	}
	r.mu.RLock()
	known := cursor{r.epoch, r.seq}
	r.mu.RUnlock()
	if known == (cursor{list.Epoch, list.Seq}) {
		r.swap(nil, known)
		return nil
	}
	set, now := newRevoked(), r.cfg.Now().Unix()
	for _, v := range list.Entries {
		if err := v.Check(); err != nil {
			return err
		}
		if err := set.add(v, now); err != nil {
			r.overflow(err)
			return err
		}
	}
	r.swap(set, cursor{list.Epoch, list.Seq})
	return nil
}
