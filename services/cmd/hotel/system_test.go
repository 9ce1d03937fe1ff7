package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
	"portcullis/services/hotel"
)

// system is search and reservations as they are run, with certificates of a
// development authority and tokens of a real issuer.
type system struct {
	t            *testing.T
	dir          string
	issuer       *tokentest.Issuer
	files        map[string]certs.Files
	search       string
	reservations string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir(), issuer: tokentest.New(t), files: map[string]certs.Files{}}
	authority, err := certs.Dev(filepath.Join(s.dir, "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bundle := s.bundle(authority.CA())
	for _, name := range []string{"search", "reservations", "gateway"} {
		files, err := authority.Leaf(name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files.CA = bundle
		s.files[name] = files
		s.write(name+".secret", "secret of "+name+"\n")
	}
	s.issuer.Client("search", "secret of search", "reservations", 0, hotel.ScopeAvailabilityRead)
	s.issuer.Client("reservations", "secret of reservations", "search", 0, hotel.ScopeSearchRead)
	for _, name := range []string{"search", "reservations"} {
		s.issuer.Client(name, "secret of "+name, token.FeedAudience, 0, token.FeedScope)
	}
	s.search, s.reservations = "https://"+freeAddress(t), "https://"+freeAddress(t)
	return s
}

// bundle holds our authority and the certificate of the issuer, which the
// standard library's test server signs itself.
func (s *system) bundle(ca string) string {
	s.t.Helper()
	ours, err := os.ReadFile(ca)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(s.issuer.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // to learn whom to trust
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	theirs := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})
	return s.write("bundle.pem", string(ours)+string(theirs))
}

func (s *system) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// output notes what a process says and tells when it serves.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	serving chan struct{}
	once    sync.Once
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes.Contains(line, []byte(`"msg":"serving"`)) {
		o.once.Do(func() { close(o.serving) })
	}
	return o.text.Write(line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a service with some more arguments until stop, which returns its
// exit code and events.
func (s *system) start(name string, more ...string) (stop func() (code int, events string)) {
	s.t.Helper()
	addresses := map[string]string{"search": s.search, "reservations": s.reservations}
	neighbour := map[string]string{"search": "reservations", "reservations": "search"}[name]
	args := []string{
		name, "--addr", strings.TrimPrefix(addresses[name], "https://"), "--data", filepath.Join(s.dir, "data"),
		"--cert", s.files[name].Cert, "--key", s.files[name].Key, "--ca", s.files[name].CA,
		"--issuer", s.issuer.URL, "--client-secret-file", filepath.Join(s.dir, name+".secret"),
		"--" + neighbour, addresses[neighbour],
	}
	if name == "search" {
		args = append(args, "--fresh", "0s", "--stale", "0s") // what was booked shows at once
	}
	args = append(args, more...)
	ctx, cancel := context.WithCancel(context.Background())
	var events bytes.Buffer
	diagnostics := &output{serving: make(chan struct{})}
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, &events, diagnostics) }()
	select {
	case <-diagnostics.serving:
	case code := <-done:
		cancel()
		s.t.Fatalf("%s ended with %d: %s", name, code, diagnostics)
	}
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-done, events.String()
	})
	s.t.Cleanup(func() { stop() })
	return stop
}

// client has the certificate of a service, or none.
func (s *system) client(name string) *http.Client {
	s.t.Helper()
	files := certs.Files{CA: s.files["gateway"].CA}
	if name != "" {
		files = s.files[name]
	}
	reloader, err := certs.NewClient(certs.ClientConfig{Files: files})
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: reloader.Client(), ForceAttemptHTTP2: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

// exchanged is what the token service gives the gateway for a guest's token, by
// which it asks a service; the claims change it.
func (s *system) exchanged(audience, guest string, claims map[string]any) string {
	all := map[string]any{
		"aud": audience, "sub": guest, "client_id": "gateway", "act": map[string]any{"sub": "gateway"}, "lineage": []string{"token-of-" + guest},
		"scope": hotel.ScopeSearchRead + " " + hotel.ScopeReservationsRead + " " + hotel.ScopeReservationsWrite,
	}
	maps.Copy(all, claims)
	return s.issuer.Mint(all)
}

type request struct{ method, url, bearer, body string }

func (s *system) send(client *http.Client, q request) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+q.bearer)
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// status sends and wants an answer.
func (s *system) status(client *http.Client, q request) (*http.Response, []byte) {
	s.t.Helper()
	resp, body, err := s.send(client, q)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, body
}

// stay is a weekend a month from now.
func stay() (from, to hotel.Date) {
	from = hotel.Today(time.Now()) + 30
	return from, from + 2
}

// lighthouse is the hotel with a single room.
const lighthouse = "h-6"

func booking() string {
	from, to := stay()
	return fmt.Sprintf(`{"hotel":%q,"from":%q,"to":%q,"guests":2,"note":"a quiet room"}`, lighthouse, from, to)
}

func (s *system) searchURL() string {
	from, to := stay()
	return fmt.Sprintf("%s/v1/hotels?city=Helsinki&from=%s&to=%s&guests=2", s.search, from, to)
}

func (s *system) found(client *http.Client) (hotels []string) {
	s.t.Helper()
	resp, body := s.status(client, request{http.MethodGet, s.searchURL(), s.exchanged("search", "g-1", nil), ""})
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("search answered %d: %s", resp.StatusCode, body)
	}
	var offers hotel.Offers
	if err := json.Unmarshal(body, &offers); err != nil {
		s.t.Fatal(err)
	}
	for _, h := range offers.Hotels {
		hotels = append(hotels, h.ID)
	}
	return hotels
}
