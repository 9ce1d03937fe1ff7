package main

import (
	"path/filepath"

	"portcullis/certs"
)

// settings are what the flags say: where programs, policies, certificates and
// what is made at run time are, and which ports are used.
type settings struct {
	bin, policies, certs, run string
	base                      base
}

// clientNames are the clients of the token service that need a secret here.
func clientNames() []string { return []string{"gateway", "search", "reservations", "demo"} }

// serviceNames are the processes that need a certificate, in the order in which
// they start: each needs those before it.
func serviceNames() []string {
	return []string{"sandbox", "authserver", "search", "reservations", "gateway"}
}

func (s settings) url(port int) string     { return "https://" + s.base.address(port) }
func (s settings) secret(n string) string  { return filepath.Join(s.run, "secrets", n) }
func (s settings) data(n string) string    { return filepath.Join(s.run, "data", n) }
func (s settings) log(n string) string     { return filepath.Join(s.run, "log", n+".log") }
func (s settings) control() string         { return filepath.Join(s.run, "gateway.sock") }
func (s settings) program(n string) string { return filepath.Join(s.bin, n) }

// environment is what the policies take from the environment.
func (s settings) environment(ca string) []string {
	return []string{
		"PORTCULLIS_ISSUER=" + s.url(authserverPort),
		"SEARCH_URL=" + s.url(searchPort),
		"RESERVATIONS_URL=" + s.url(reservationsPort),
		"CA_FILE=" + ca,
	}
}

// command is a process to be started.
type command struct {
	name string
	args []string // the program first
	ops  string   // address of /readyz
}

// commands are the processes in the order in which they start, as an operator
// would type them.
func (s settings) commands(files map[string]certs.Files) []command {
	issuer := s.url(authserverPort)
	list := []command{
		{"sandbox", []string{
			s.program("hotel"), "sandbox", "--addr", s.base.address(inboxPort), "--smtp", s.base.address(mailPort),
		}, s.base.address(sandboxOps)},
		{"authserver", []string{
			s.program("authserver"), "serve", "--addr", s.base.address(authserverPort), "--issuer", issuer,
			"--policies", s.policies, "--data", s.data("authserver"), "--seal", s.secret("authserver.seal"),
			"--smtp", s.base.address(mailPort), "--smtp-ca", files["authserver"].CA, "--mail-from", "no-reply@hotel.test",
		}, s.base.address(authserverOps)},
		{"search", []string{
			s.program("hotel"), "search", "--addr", s.base.address(searchPort), "--data", s.data("search"), "--issuer", issuer,
			"--client-id", "search", "--client-secret-file", s.secret("search"), "--reservations", s.url(reservationsPort),
			"--ca", files["search"].CA,
		}, s.base.address(searchOps)},
		{"reservations", []string{
			s.program("hotel"), "reservations", "--addr", s.base.address(reservationsPort), "--data", s.data("reservations"), "--issuer", issuer,
			"--client-id", "reservations", "--client-secret-file", s.secret("reservations"), "--search", s.url(searchPort),
			"--ca", files["reservations"].CA,
		}, s.base.address(reservationsOps)},
		{"gateway", []string{
			s.program("gateway"), "serve", "--addr", s.base.address(gatewayPort), "--policies", s.policies, "--ca", files["gateway"].CA,
			"--client-id", "gateway", "--client-secret-file", s.secret("gateway"), "--token-url", issuer + "/token",
			"--control", s.control(),
		}, s.base.address(gatewayOps)},
	}
	for i := range list {
		c := &list[i]
		c.args = append(c.args, "--cert", files[c.name].Cert, "--key", files[c.name].Key, "--ops", c.ops)
	}
	return list
}

// addresses are all ports the system will listen on.
func (s settings) addresses() []string {
	var list []string
	for _, port := range []int{
		gatewayPort, gatewayOps, authserverPort, authserverOps, searchPort, searchOps, reservationsPort, reservationsOps,
		inboxPort, mailPort, sandboxOps,
	} {
		list = append(list, s.base.address(port))
	}
	return list
}
