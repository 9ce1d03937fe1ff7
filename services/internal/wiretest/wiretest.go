// Package wiretest is how tests call a service and read what it answers and logs.
package wiretest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// Guard lets in who has a token of the issuer's for an audience.
func Guard(t testing.TB, issuer *tokentest.Issuer, audience string) *token.Guard {
	t.Helper()
	g, err := token.NewGuard(token.GuardConfig{Verifier: issuer.VerifierFor(audience), Realm: audience})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Log is what several goroutines wrote, to be read while they write.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Answer is a response whose body has been read.
type Answer struct {
	*http.Response
	Body []byte
}

// Into reads the body as JSON.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%d %s: %v", a.StatusCode, a.Body, err)
	}
}

// Ask sends a request, with a token and as JSON if there is one and a body;
// pairs are header fields, of which an empty one is not sent. It does not end
// the test when nobody answers: many may ask at once, each in a goroutine.
func Ask(t testing.TB, client *http.Client, bearer, method, url, body string, pairs ...string) Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return Answer{Response: &http.Response{}}
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return Answer{resp, read}
}
