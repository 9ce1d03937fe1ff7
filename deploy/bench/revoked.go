package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// revokedTokens is how many are revoked, each by its own client.
	revokedTokens = 100
	// lookEvery is how long a token that still passes rests between two tries.
	lookEvery = time.Millisecond
	// tooLate ends the wait for a refusal that does not come.
	tooLate = 10 * time.Second
	// goalRevoked is what the slowest hundredth may take.
	goalRevoked = time.Second
)

// watcher is where a token is used, and how long after each revocation it was
// refused there.
type watcher struct {
	name   string
	client *http.Client
	url    string
	took   []time.Duration
}

// watchers are the gateway and a service.
func (s *system) watchers() []*watcher {
	return []*watcher{
		{name: "gateway", url: "https://" + s.gate + "/authenticate", client: &http.Client{Transport: &http.Transport{TLSClientConfig: s.trust.Clone()}}},
		{name: "service with token.Guard", url: "http://" + s.service, client: &http.Client{Transport: &http.Transport{}}},
	}
}

// status is what the watched answers to the token.
func (w *watcher) status(ctx context.Context, bearer string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// refused waits until the token is, and notes how long that took since.
func (w *watcher) refused(ctx context.Context, bearer string, since time.Time) error {
	for time.Since(since) < tooLate {
		status, err := w.status(ctx, bearer)
		if err != nil {
			return err
		}
		if status == http.StatusUnauthorized {
			w.took = append(w.took, time.Since(since))
			return nil
		}
		time.Sleep(lookEvery)
	}
	return fmt.Errorf("%s: a token passes %v after it was revoked", w.name, tooLate)
}

// revoke measures how long a revoked token goes on passing, from the answer to
// POST /revoke to the first refusal.
func (s *system) revoke(ctx context.Context, watchers []*watcher, progress io.Writer) error {
	fmt.Fprintf(progress, "revocation: %d tokens\n", revokedTokens)
	a := s.newAsker(s.auth, nil)
	for i := range revokedTokens {
		name := guest(i % guests) // no limit is near
		secret, err := s.secret(s.auth, name)
		if err != nil {
			return err
		}
		bearer, err := a.token(ctx, basic(name, secret), ownToken("gateway"))
		if err != nil {
			return err
		}
		for _, w := range watchers {
			if status, err := w.status(ctx, bearer); err != nil || status != http.StatusOK {
				return fmt.Errorf("%s: status %d to a good token: %w", w.name, status, err)
			}
		}
		status, body, err := a.post(ctx, "/revoke", basic(name, secret), url.Values{"token": {bearer}}.Encode())
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("revoking: status %d %s: %w", status, body, err)
		}
		if err := s.everywhere(ctx, watchers, bearer, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// everywhere waits until all refuse the token.
func (s *system) everywhere(ctx context.Context, watchers []*watcher, bearer string, since time.Time) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var waiting sync.WaitGroup
	for _, w := range watchers {
		waiting.Go(func() {
			if err := w.refused(ctx, bearer, since); err != nil {
				cancel(err)
			}
		})
	}
	waiting.Wait()
	return context.Cause(ctx)
}

func reportRevoked(w io.Writer, watchers []*watcher) error {
	var out strings.Builder
	fmt.Fprintf(&out, "\nRevocation: ms from the answer of POST /revoke to the refusal of the token, %d tokens.\n\n", revokedTokens)
	for _, w := range watchers {
		fmt.Fprintf(&out, "%-46s p50 %7.1f   p99 %7.1f  (goal p99 %d)\n", w.name, ms(quantile(w.took, 0.5)), ms(quantile(w.took, 0.99)), goalRevoked.Milliseconds())
	}
	_, err := io.WriteString(w, out.String())
	return err
}
