package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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

// start runs a service until stop, which returns its exit code and events.
func (s *system) start(name string) (stop func() (code int, events string)) {
	s.t.Helper()
	addresses := map[string]string{"search": s.search, "reservations": s.reservations}
	neighbour := map[string]string{"search": "reservations", "reservations": "search"}[name]
	args := []string{
		name, "--addr", strings.TrimPrefix(addresses[name], "https://"), "--data", filepath.Join(s.dir, "data"),
		"--cert", s.files[name].Cert, "--key", s.files[name].Key, "--ca", s.files[name].CA,
		"--issuer", s.issuer.URL, "--client-secret-file", filepath.Join(s.dir, name+".secret"),
		"--" + neighbour, addresses[neighbour],
	}
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
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// gatewayToken is what the token service gives the gateway for a service.
func (s *system) gatewayToken(audience string) string {
	return s.issuer.Mint(map[string]any{
		"aud": audience, "sub": "gateway", "client_id": "gateway",
		"scope": hotel.ScopeSearchRead + " " + hotel.ScopeReservationsRead + " " + hotel.ScopeReservationsWrite,
	})
}

type request struct{ method, url, bearer, guest, body string }

func (s *system) send(client *http.Client, q request) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+q.bearer)
	if q.guest != "" {
		r.Header.Set(token.SubjectField, q.guest)
		r.Header.Set(token.ClientField, "demo")
	}
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
	resp, body := s.status(client, request{http.MethodGet, s.searchURL(), s.gatewayToken("search"), "g-1", ""})
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

func TestAHundredGuestsWantTheLighthouse(t *testing.T) {
	s := newSystem(t)
	stopSearch, stopReservations := s.start("search"), s.start("reservations")
	client := s.client("gateway")
	if hotels := s.found(client); !strings.Contains(fmt.Sprint(hotels), lighthouse) {
		t.Fatalf("before anyone booked, %v were found", hotels)
	}
	bearer := s.gatewayToken("reservations")
	var won, lost atomic.Int64
	var location atomic.Value
	var guests sync.WaitGroup
	for i := range 100 {
		guests.Go(func() {
			guest := fmt.Sprintf("g-%d", i)
			// A guest told to come later comes again, as people do.
			for {
				resp, body, err := s.send(client, request{http.MethodPost, s.reservations + "/v1/reservations", bearer, guest, booking()})
				switch {
				case err != nil:
					t.Error(err)
				case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
					continue
				case resp.StatusCode == http.StatusCreated:
					won.Add(1)
					location.Store([2]string{guest, resp.Header.Get("Location")})
				case resp.StatusCode == http.StatusConflict:
					lost.Add(1)
				default:
					t.Errorf("guest %d got %d: %s", i, resp.StatusCode, body)
				}
				return
			}
		})
	}
	guests.Wait()
	if won.Load() != 1 || lost.Load() != 99 {
		t.Fatalf("%d got the room and %d did not, want 1 and 99", won.Load(), lost.Load())
	}
	for _, h := range s.found(client) {
		if h == lighthouse {
			t.Error("search still offers the only room of the lighthouse")
		}
	}
	winner := location.Load().([2]string)
	resp, _ := s.status(client, request{http.MethodDelete, s.reservations + winner[1], bearer, winner[0], ""})
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("cancelling answered %d", resp.StatusCode)
	}
	if hotels := s.found(client); !strings.Contains(fmt.Sprint(hotels), lighthouse) {
		t.Error("search does not offer the lighthouse again after the cancellation")
	}
	for name, stop := range map[string]func() (int, string){"search": stopSearch, "reservations": stopReservations} {
		code, events := stop()
		if code != 0 || !strings.Contains(events, `"url.path"`) {
			t.Errorf("%s ended with %d, its events were %.200q", name, code, events)
		}
		if strings.Contains(events, bearer) || strings.Contains(events, "quiet room") {
			t.Errorf("the events of %s hold a token or a body", name)
		}
	}
}

func TestWhoMayCallAService(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	s.start("reservations")
	page := func(bearer, guest string) request {
		return request{http.MethodGet, s.search + "/v1/hotels/h-1", bearer, guest, ""}
	}
	t.Run("a peer without a certificate is refused at the handshake", func(t *testing.T) {
		for _, address := range []string{s.search, s.reservations} {
			resp, _, err := s.send(s.client(""), request{http.MethodGet, address + "/v1/hotels/h-1", s.gatewayToken("search"), "", ""})
			if err == nil {
				t.Errorf("%s answered %d", address, resp.StatusCode)
			} else if !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s: error %q, want one that asks for a certificate", address, err)
			}
		}
	})
	t.Run("a peer with a certificate of another authority is too", func(t *testing.T) {
		other, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files, err := other.Leaf("gateway", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files.CA = s.files["gateway"].CA
		s.files["stranger"] = files
		if resp, _, err := s.send(s.client("stranger"), page(s.gatewayToken("search"), "")); err == nil {
			t.Errorf("search answered %d", resp.StatusCode)
		}
	})
	for name, c := range map[string]struct {
		client, bearer, guest string
		status                int
	}{
		"the gateway with its token gets in":              {"gateway", s.gatewayToken("search"), "g-7", http.StatusOK},
		"a token for the neighbour does not":              {"gateway", s.gatewayToken("reservations"), "g-7", http.StatusUnauthorized},
		"a certificate without a token does not":          {"gateway", "", "", http.StatusUnauthorized},
		"the gateway's token in other hands names nobody": {"reservations", s.gatewayToken("search"), "g-7", http.StatusForbidden},
		"nor may a client that is no delegate": {
			"gateway", s.issuer.Mint(map[string]any{"aud": "search", "client_id": "demo", "scope": hotel.ScopeSearchRead}), "g-7", http.StatusForbidden,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if resp, body := s.status(s.client(c.client), page(c.bearer, c.guest)); resp.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, c.status, body)
			}
		})
	}
}

func TestReservationsDownAndBack(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	stop := s.start("reservations")
	client := s.client("gateway")
	before := len(s.found(client))
	if code, _ := stop(); code != 0 {
		t.Fatalf("reservations ended with %d", code)
	}
	resp, body := s.status(client, request{http.MethodGet, s.searchURL(), s.gatewayToken("search"), "g-1", ""})
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without reservations search answered %d, Retry-After %q: %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	s.start("reservations") // on the same files
	if after := len(s.found(client)); after != before {
		t.Errorf("%d hotels after, %d before", after, before)
	}
}

func TestReservationsOutliveTheProcess(t *testing.T) {
	s := newSystem(t)
	s.start("search")
	stop := s.start("reservations")
	client, bearer := s.client("gateway"), s.gatewayToken("reservations")
	resp, booked := s.status(client, request{http.MethodPost, s.reservations + "/v1/reservations", bearer, "g-7", booking()})
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("booking answered %d: %s", resp.StatusCode, booked)
	}
	stop()
	s.start("reservations")
	_, shown := s.status(client, request{http.MethodGet, s.reservations + resp.Header.Get("Location"), bearer, "g-7", ""})
	if string(shown) != string(booked) {
		t.Errorf("shown %s, booked %s", shown, booked)
	}
}

func TestAServiceSaysWhyItCannotStart(t *testing.T) {
	s := newSystem(t)
	good := []string{
		"search", "--addr", "127.0.0.1:0", "--data", s.dir, "--cert", s.files["search"].Cert, "--key", s.files["search"].Key,
		"--ca", s.files["search"].CA, "--client-secret-file", filepath.Join(s.dir, "search.secret"),
	}
	for name, c := range map[string]struct {
		more []string
		says string
	}{
		"no certificate":                {[]string{"--cert", "nowhere.pem"}, "nowhere.pem"},
		"no secret":                     {[]string{"--client-secret-file", "nowhere"}, "nowhere"},
		"an empty secret":               {[]string{"--client-secret-file", s.write("empty", "\n")}, "one line"},
		"an issuer without TLS":         {[]string{"--issuer", "http://issuer.test"}, "--issuer"},
		"a neighbour in the clear":      {[]string{"--reservations", "http://localhost:9102"}, "--reservations"},
		"a database that is none":       {[]string{"--data", filepath.Dir(s.write("search.db", strings.Repeat("no", 1000)))}, "search.db"},
		"an argument that is not there": {[]string{"--colour", "red"}, "--colour"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if code := run(ctx, append(good[:len(good):len(good)], c.more...), io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, stderr %q, want 1 and one that says %q", code, stderr.String(), c.says)
			}
		})
	}
}
