package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
)

// audience is whom tokens for the gateway are for, in the shipped policies.
const audience = "gateway"

// system is everything running: the token service, the two services, the
// gateway with the shipped policies and the suite's own beside them, an issuer
// of the suite's, and a backend that misbehaves on request.
type system struct {
	t                    *testing.T
	dir, policies        string
	gatewayURL, opsURL   string
	authURL              string
	searchURL, reservURL string
	authOps              string
	outside              *tokentest.Issuer
	backend              *backend
	sink                 *sink // see withMail
	gateway, auth        *process
	search, reservations *process
	authority            *certs.Authority
	pool                 *x509.CertPool
	env                  []string
	gatewayArgs          []string
	authArgs             []string
	searchArgs           []string
	reservationsArgs     []string
	client               *http.Client
}

// start brings the whole system up and waits until all of it is ready.
func start(t *testing.T) *system {
	t.Helper()
	s := prepare(t)
	s.startAuth()
	s.startServices()
	s.startGateway()
	return s
}

// prepare makes folders, certificates, policies, secrets and addresses.
func prepare(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir()}
	s.policies = filepath.Join(s.dir, "policies")
	var err error
	if s.authority, err = certs.Dev(filepath.Join(s.dir, "certs"), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.pool = pool(t, s.authority.CA())
	s.outside, s.backend = tokentest.New(t), newBackend(t)
	s.gatewayURL, s.authURL = "https://"+free(t), "https://"+free(t)
	s.searchURL, s.reservURL = "https://"+free(t), "https://"+free(t)
	s.opsURL, s.authOps = "http://"+free(t), "http://"+free(t)
	s.env = []string{
		"PORTCULLIS_ISSUER=" + s.authURL, "SEARCH_URL=" + s.searchURL, "RESERVATIONS_URL=" + s.reservURL, "CA_FILE=" + s.authority.CA(),
		"GORACE=halt_on_error=0 atexit_sleep_ms=0",
	}
	s.writePolicies()
	s.arguments()
	s.client = s.newClient()
	return s
}

// arguments are the command lines, as an operator would type them.
func (s *system) arguments() {
	s.t.Helper()
	gate, auth, search, reserv := s.leaf("gateway"), s.leaf("authserver"), s.leaf("search"), s.leaf("reservations")
	s.authArgs = []string{
		"authserver", "serve", "--addr", host(s.authURL), "--issuer", s.authURL, "--policies", s.policies, "--data", s.data(), "--cert", auth.Cert, "--key", auth.Key, "--ops", host(s.authOps), "--rate", "100000",
	}
	s.gatewayArgs = []string{
		"gateway", "serve", "--addr", host(s.gatewayURL), "--ops", host(s.opsURL), "--policies", s.policies, "--cert", gate.Cert, "--key", gate.Key, "--ca", gate.CA,
		"--client-id", "gateway", "--client-secret-file", s.secret("gateway"), "--token-url", s.authURL + "/token", "--drain-delay", "300ms",
		"--control", s.control(), "--recent", strconv.Itoa(remembered),
	}
	s.searchArgs = []string{
		"hotel", "search", "--addr", host(s.searchURL), "--data", filepath.Join(s.dir, "search"), "--cert", search.Cert, "--key", search.Key, "--ca", search.CA,
		"--issuer", s.authURL, "--client-id", "search", "--client-secret-file", s.secret("search"), "--reservations", s.reservURL,
	}
	s.reservationsArgs = []string{
		"hotel", "reservations", "--addr", host(s.reservURL), "--data", filepath.Join(s.dir, "reservations"), "--cert", reserv.Cert, "--key", reserv.Key, "--ca", reserv.CA,
		"--issuer", s.authURL, "--client-id", "reservations", "--client-secret-file", s.secret("reservations"), "--search", s.searchURL,
	}
}

func (s *system) startAuth() {
	s.t.Helper()
	s.auth = launch(s.t, s.dir, "authserver", s.env, s.authArgs...)
	s.ready(s.auth, s.authOps)
}

func (s *system) startServices() {
	s.t.Helper()
	s.reservations = launch(s.t, s.dir, "reservations", s.env, s.reservationsArgs...)
	s.search = launch(s.t, s.dir, "search", s.env, s.searchArgs...)
	for p, u := range map[*process]string{s.search: s.searchURL, s.reservations: s.reservURL} {
		until(s.t, p.name+" listens", 30*time.Second, func() bool {
			c, err := net.Dial("tcp", host(u))
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
}

func (s *system) startGateway() {
	s.t.Helper()
	before := len(s.eventLog())
	s.gateway = launch(s.t, s.dir, "gateway", s.env, s.gatewayArgs...)
	s.ready(s.gateway, s.opsURL)
	p := s.gateway
	s.t.Cleanup(func() { s.explainsAll(p, before) })
}

// ready waits for a process's readiness, or reports its death.
func (s *system) ready(p *process, ops string) {
	s.t.Helper()
	until(s.t, p.name+" is ready", 60*time.Second, func() bool {
		select {
		case <-p.done:
			s.t.Fatalf("%s ended: %v\n%s", p.name, p.err, p.tail())
		default:
		}
		res, err := http.Get(ops + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (s *system) data() string { return filepath.Join(s.dir, "authserver") }

func (s *system) leaf(name string) certs.Files {
	s.t.Helper()
	files, err := s.authority.Leaf(name, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// secret makes a client secret with the command for it and gives its file.
func (s *system) secret(client string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, client+".secret")
	cmd := exec.Command(filepath.Join(bin, "authserver"), "client", "secret", client, "--data", s.data(), "--policies", s.policies, "--out", file)
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("client secret %s: %v\n%s", client, err, out)
	}
	return file
}

// secretText makes a client secret and gives it.
func (s *system) secretText(client string) string {
	s.t.Helper()
	secret, err := os.ReadFile(s.secret(client))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(secret))
}

// newClient is a client that trusts the development authority, with
// connections of its own.
func (s *system) newClient() *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// http1 is a client that speaks HTTP/1.1 alone.
func (s *system) http1() *http.Client {
	c := s.newClient()
	transport := c.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = false
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	return c
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the problem code of a refusal.
func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p) // anything but a problem has no code
	return p.Code
}

// send makes a request of the gateway; bearer may be empty. A body makes it
// JSON.
func (s *system) send(method, target, bearer, body string) answer {
	s.t.Helper()
	a, err := s.try(s.client, method, target, bearer, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *system) try(client *http.Client, method, target, bearer, body string) (answer, error) {
	req, err := http.NewRequest(method, s.gatewayURL+target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

// as mints a token of the suite's issuer for the gateway.
func (s *system) as(subject, scope string) string {
	return s.outside.Mint(map[string]any{"sub": subject, "client_id": "suite-" + subject, "scope": scope, "aud": audience})
}

// eventLog is the gateway's event log so far, empty before the first start.
func (s *system) eventLog() string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "gateway.out"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(data)
}

// events are the gateway's events so far, decoded; one for each request.
func (s *system) events() []map[string]any {
	s.t.Helper()
	return s.decoded(s.eventLog())
}

func (s *system) decoded(log string) []map[string]any {
	s.t.Helper()
	return slices.DeleteFunc(s.lines(log), func(e map[string]any) bool { return e["event.kind"] == "alert" })
}

// lines are the events, and among them those of the WAF.
func (s *system) lines(log string) (all []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(log) {
		var e map[string]any
		if strings.HasSuffix(line, "\n") {
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				s.t.Fatalf("an event is not JSON: %v: %s", err, line)
			}
			all = append(all, e)
		}
	}
	return all
}

// event waits for the event of a request id.
func (s *system) event(id string) map[string]any {
	s.t.Helper()
	var found map[string]any
	until(s.t, "the event of request "+id, 5*time.Second, func() bool {
		for _, e := range s.events() {
			if e["http.request.id"] == id {
				found = e
			}
		}
		return found != nil
	})
	return found
}

// ports hands out each number once, from below those that outgoing connections
// are given: what listens a moment later finds its own still free.
var ports atomic.Int64

func free(t *testing.T) string {
	t.Helper()
	const first, many = 12000, 8900 // above are those of make run in the tests
	ports.CompareAndSwap(0, int64(os.Getpid()*97%many)+1)
	for range many {
		port := first + ports.Add(1)%many
		taken := false
		for _, address := range []string{"127.0.0.1", "::1"} {
			l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.FormatInt(port, 10)))
			if err == nil {
				_ = l.Close()
			}
			taken = taken || errors.Is(err, syscall.EADDRINUSE) // there may be no ::1
		}
		if !taken {
			return fmt.Sprintf("localhost:%d", port)
		}
	}
	t.Fatal("no free ports")
	return ""
}

func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err) // every URL here is our own
	}
	return u.Host
}

func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(data) {
		t.Fatalf("%s holds no certificate", file)
	}
	return p
}

// certificate is the PEM of what an HTTPS server shows; only its own tests
// trust it so.
func certificate(t *testing.T, server string) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", host(server), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})
}
