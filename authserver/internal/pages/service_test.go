package pages_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/accounts"
	"portcullis/authserver/internal/pages"
	"portcullis/authserver/internal/store"
)

const password = "correct horse battery"

// service is the pages behind real TLS, with a real database and a real mail
// server.
type service struct {
	*httptest.Server
	dir      string
	db       *store.Store
	accounts *accounts.Accounts
	pages    *pages.Pages
	mail     *mailServer
	log      *output
	clock    *clock

	mu       sync.Mutex
	revoked  []string
	recorded []string
}

// clock is the real one and what was added to it.
type clock struct {
	mu    sync.Mutex
	added time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.added)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

// output is a place to write for several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(t *testing.T) *service { return startWith(t, pages.Config{Rate: 10_000}) }

func startWith(t *testing.T, cfg pages.Config) *service {
	t.Helper()
	s := &service{dir: t.TempDir(), mail: startMail(t, true), log: &output{}, clock: &clock{}}
	var err error
	if s.db, err = store.Open(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.Server = httptest.NewUnstartedServer(nil)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	s.accounts, err = accounts.New(accounts.Config{
		Store: s.db, Issuer: s.URL, Log: log, Now: s.clock.now,
		Mail: accounts.MailConfig{Addr: s.mail.addr, From: "no-reply@hotel.example", TLS: &tls.Config{RootCAs: s.mail.roots}},
		Revoked: func(_ context.Context, subject string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.revoked = append(s.revoked, subject)
			return nil
		},
		Record: func(_ context.Context, action, outcome string, f accounts.Facts) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.recorded = append(s.recorded, fmt.Sprintf("%s %s %s", action, outcome, f.Reason))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { s.accounts.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	cfg.Accounts, cfg.Issuer, cfg.Log = s.accounts, s.URL, log
	if s.pages, err = pages.New(cfg); err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = s.pages.Handler()
	return s
}

// browser keeps cookies and follows no redirect by itself.
type browser struct {
	t *testing.T
	s *service
	c *http.Client
}

func (s *service) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, s, &http.Client{
		Transport: s.Client().Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	res, err := b.c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.s.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) request(path string, pairs ...string) *http.Request {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.s.URL+path, strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// post sends a form as a page of ours does.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	return b.do(b.request(path, pairs...))
}

// session is the session cookie that the browser holds.
func (b *browser) session() string {
	u, err := url.Parse(b.s.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.c.Jar.Cookies(u) {
		if c.Name == "__Host-portcullis-session" {
			return c.Value
		}
	}
	return ""
}

// signedUp makes a verified account and returns a browser that is signed in.
func (s *service) signedUp(t *testing.T, email string) *browser {
	t.Helper()
	b := s.browser(t)
	if a := b.post("/signup", "email", email, "password", password); a.status != http.StatusSeeOther {
		t.Fatalf("sign-up: %d %s", a.status, a.body)
	}
	token := s.mail.next(t, email).token(t)
	if a := b.post("/verify", "token", token, "password", password); a.status != http.StatusSeeOther || b.session() == "" {
		t.Fatalf("verify: %d %s", a.status, a.body)
	}
	return b
}

// resetToken asks for a reset and reads the mail.
func (s *service) resetToken(t *testing.T, email string) string {
	t.Helper()
	if a := s.browser(t).post("/reset", "email", email); a.status != http.StatusSeeOther {
		t.Fatalf("reset: %d %s", a.status, a.body)
	}
	return s.mail.next(t, email).token(t)
}

func (s *service) revocations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.revoked)
}

func (s *service) records() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.recorded, "\n")
}

// shown reports whether a page has this text in it, as a person reads it.
func (a answer) shown(text string) bool {
	return strings.Contains(html.UnescapeString(a.body), text)
}

var tokenInMail = regexp.MustCompile(`token=([A-Za-z0-9_-]{43})\b`)
