package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
)

// tag is the build tag the gateway refuses to start without.
const tag = "coraza.rule.case_sensitive_args_keys"

// system is what runs: token service, backend, gateway and the proxy it is
// compared with.
type system struct {
	dir                           string
	gate, proxy, backend, gateOps string // addresses
	service                       string
	gateCert, authCert, proxyCert certs.Files
	trust                         *tls.Config
	bearer                        string
	// auth is the token service as it is shipped; es256 and rs256 have wide
	// limits, because one client asks them for thousands of tokens.
	auth, es256, rs256 *issuer
	clientKey          *token.ClientKey // of the client that asserts
	running            []*exec.Cmd
	gatePID, proxyPID  int
}

// start builds and starts everything. What it returns must be stopped, also
// beside an error.
func start(ctx context.Context) (*system, error) {
	dir, err := os.MkdirTemp("", "portcullis-bench-")
	if err != nil {
		return nil, err
	}
	s := &system{
		dir: dir, auth: &issuer{name: "auth"}, es256: &issuer{name: "es256", flags: []string{"--rate", unlimited}},
		rs256: &issuer{name: "rs256", flags: []string{"--rate", unlimited, "--algorithm", "RS256"}},
	}
	for _, step := range []func(context.Context) error{s.build, s.prepare, s.launch, s.token} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *system) stop() {
	for _, p := range s.running {
		_ = p.Process.Kill() // it may have ended already
		_ = p.Wait()
	}
	_ = os.RemoveAll(s.dir) // it is in the system's folder for what may go
}

// build makes the programs as `make build` does.
func (s *system) build(ctx context.Context) error {
	for _, name := range []string{"gateway", "authserver"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tag, "-o", filepath.Join(s.dir, name), "portcullis/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
	}
	return nil
}

// prepare makes addresses, certificates and policies.
func (s *system) prepare(context.Context) error {
	for _, addr := range []*string{&s.gate, &s.backend, &s.gateOps, &s.service, &s.auth.addr, &s.es256.addr, &s.rs256.addr} {
		var err error
		if *addr, err = free(); err != nil {
			return err
		}
	}
	authority, err := certs.Dev(filepath.Join(s.dir, "certs"), time.Now())
	if err != nil {
		return err
	}
	for name, files := range map[string]*certs.Files{"gateway": &s.gateCert, "authserver": &s.authCert, "proxy": &s.proxyCert} {
		if *files, err = authority.Leaf(name, time.Now()); err != nil {
			return err
		}
	}
	pool, err := roots(authority.CA())
	if err != nil {
		return err
	}
	s.trust = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	if err := os.Mkdir(s.policies(), 0o700); err != nil {
		return err
	}
	public, err := s.makeClientKey()
	if err != nil {
		return err
	}
	text := strings.NewReplacer("AUTH", s.auth.url(), "CA", authority.CA(), "BACKEND", "http://"+s.backend,
		"PUBLICKEY", strconv.Quote(public), "GUESTS", guestPolicies()).Replace(policies)
	return os.WriteFile(filepath.Join(s.policies(), "bench.yaml"), []byte(text), 0o600)
}

// makeClientKey makes the key of the client that asserts and returns its public
// half in PEM.
func (s *system) makeClientKey() (string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	if s.clientKey, err = token.NewClientKey(private); err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

func (s *system) policies() string { return filepath.Join(s.dir, "policies") }

// launch starts the processes, each once what it calls is there.
func (s *system) launch(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := s.spawn(ctx, s.backend, self, role+"backend", s.backend); err != nil {
		return err
	}
	proxy, err := s.spawnProxy(ctx, "")
	if err != nil {
		return err
	}
	s.proxy, s.proxyPID = proxy.addr, proxy.pid
	clients := []string{"gateway", "bench", "service"}
	for i := range guests {
		clients = append(clients, guest(i))
	}
	for i, clients := range map[*issuer][]string{s.auth: clients, s.es256: {"gateway", "bench"}, s.rs256: {"bench"}} {
		if err := s.serve(ctx, i, clients...); err != nil {
			return err
		}
	}
	if _, err := s.spawn(ctx, s.service, self, role+"service", s.service, s.auth.url(), s.authCert.CA, s.secretFile(s.auth, "service")); err != nil {
		return err
	}
	s.gatePID, err = s.spawn(ctx, s.gate, filepath.Join(s.dir, "gateway"), "serve", "--addr", s.gate, "--ops", s.gateOps,
		"--policies", s.policies(), "--cert", s.gateCert.Cert, "--key", s.gateCert.Key, "--ca", s.gateCert.CA,
		"--token-url", s.auth.url()+"/token", "--client-id", "gateway", "--client-secret-file", s.secretFile(s.auth, "gateway"))
	return err
}

// spawn starts a program and waits until it listens on addr. Its events go
// nowhere, its diagnostics to a file that is shown when it fails.
func (s *system) spawn(ctx context.Context, addr, program string, args ...string) (pid int, err error) {
	return s.spawnWith(ctx, "", addr, program, args...)
}

// spawnProxy starts what the gateway is compared with, with one more variable
// in its environment.
func (s *system) spawnProxy(ctx context.Context, env string) (peer, error) {
	self, err := os.Executable()
	if err != nil {
		return peer{}, err
	}
	addr, err := free()
	if err != nil {
		return peer{}, err
	}
	pid, err := s.spawnWith(ctx, env, addr, self, role+"proxy", addr, "http://"+s.backend, s.proxyCert.Cert, s.proxyCert.Key)
	return peer{"httputil.ReverseProxy", addr, pid}, err
}

func (s *system) spawnWith(ctx context.Context, env, addr, program string, args ...string) (pid int, err error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = log
	if env != "" {
		cmd.Env = append(os.Environ(), env)
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	s.running = append(s.running, cmd)
	for range 300 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return cmd.Process.Pid, conn.Close()
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	said, _ := os.ReadFile(log.Name()) // the error below stands without it
	return 0, fmt.Errorf("%s does not listen on %s; the processes said:\n%s", filepath.Base(program), addr, said)
}

// token gets the bearer of the load, as any client would.
func (s *system) token(ctx context.Context) error {
	secret, err := s.secret(s.auth, "bench")
	if err != nil {
		return err
	}
	s.bearer, err = s.newAsker(s.auth, nil).token(ctx, basic("bench", secret), ownToken("gateway"))
	return err
}

// free finds a free port of the loopback address.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
