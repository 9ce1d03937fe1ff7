package main

import (
	"path/filepath"
	"slices"

	"portcullis/certs"
)

// settings are what the flags say: where programs, policies, certificates and
// what is made at run time are, and which ports are used.
type settings struct {
	bin, policies, certs, run string
	base                      base
}

// clientNames are the clients of the token service that need a secret here.
func clientNames() []string {
	return []string{"gateway", "search", "reservations", "payments", "users", "reporting", "booking", "demo"}
}

// serviceNames are the processes that need a certificate, in the order in which
// they start: each needs those before it, and some of those after it when a
// guest asks.
func serviceNames() []string {
	return []string{"sandbox", "authserver", "reporting", "payments", "search", "users", "reservations", "booking", "gateway"}
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
		"GATEWAY_URL=" + s.url(gatewayPort),
		"SEARCH_URL=" + s.url(searchPort),
		"RESERVATIONS_URL=" + s.url(reservationsPort),
		"PAYMENTS_URL=" + s.url(paymentsPort),
		"USERS_URL=" + s.url(usersPort),
		"REPORTING_URL=" + s.url(reportingPort),
		"BOOKING_URL=" + s.url(bookingPort),
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
	issuer, ca := s.url(authserverPort), files["gateway"].CA
	mail := func(from string) []string {
		return []string{"--smtp", s.base.address(mailPort), "--smtp-ca", ca, "--mail-from", from}
	}
	partners := []string{"--partner", "aurora=" + s.url(auroraPort), "--partner", "baltic=" + s.url(balticPort), "--partner-ca", ca}
	to := func(names ...string) (flags []string) {
		for _, name := range names {
			flags = append(flags, "--"+name, s.url(servicePorts()[name]))
		}
		return flags
	}
	list := []command{
		{"sandbox", []string{
			s.program("hotel"), "sandbox", "--addr", s.base.address(inboxPort), "--smtp", s.base.address(mailPort),
			"--bank", s.base.address(bankPort), "--aurora", s.base.address(auroraPort), "--baltic", s.base.address(balticPort),
		}, s.base.address(sandboxOps)},
		{"authserver", append([]string{
			s.program("authserver"), "serve", "--addr", s.base.address(authserverPort), "--issuer", issuer,
			"--policies", s.policies, "--data", s.data("authserver"), "--seal", s.secret("authserver.seal"),
		}, mail("no-reply@hotel.test")...), s.base.address(authserverOps)},
		s.service("reporting", reportingOps, ca, "--verify-url", s.url(gatewayPort)+"/verify"),
		s.service("payments", paymentsOps, ca, slices.Concat(mail("payments@hotel.test"), []string{"--bank", s.url(bankPort), "--bank-ca", ca})...),
		s.service("search", searchOps, ca, slices.Concat(to("reservations"), partners)...),
		s.service("users", usersOps, ca, slices.Concat(to("reservations", "payments", "reporting", "booking"),
			mail("bookings@hotel.test"), []string{"--bookings-url", s.url(gatewayPort) + "/bookings"})...),
		s.service("reservations", reservationsOps, ca, slices.Concat(to("search", "payments", "users", "reporting"), partners)...),
		s.service("booking", bookingOps, ca, slices.Concat(to("search", "reservations", "payments", "users", "reporting"),
			[]string{"--public-url", s.url(gatewayPort)})...),
		{"gateway", []string{
			s.program("gateway"), "serve", "--addr", s.base.address(gatewayPort), "--policies", s.policies, "--ca", ca,
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

// service is one of the hotel's: all of them have these flags.
func (s settings) service(name string, ops int, ca string, more ...string) command {
	args := []string{
		s.program("hotel"), name, "--addr", s.base.address(servicePorts()[name]), "--data", s.data(name), "--issuer", s.url(authserverPort),
		"--client-id", name, "--client-secret-file", s.secret(name), "--ca", ca,
	}
	return command{name, append(args, more...), s.base.address(ops)}
}

// servicePorts are where the hotel's services listen.
func servicePorts() map[string]int {
	return map[string]int{
		"search": searchPort, "reservations": reservationsPort, "payments": paymentsPort,
		"users": usersPort, "reporting": reportingPort, "booking": bookingPort,
	}
}

// addresses are all ports the system will listen on.
func (s settings) addresses() []string {
	var list []string
	for _, port := range []int{
		gatewayPort, gatewayOps, authserverPort, authserverOps, searchPort, searchOps, reservationsPort, reservationsOps,
		paymentsPort, paymentsOps, usersPort, usersOps, reportingPort, reportingOps, bookingPort, bookingOps,
		inboxPort, bankPort, auroraPort, balticPort, mailPort, sandboxOps,
	} {
		list = append(list, s.base.address(port))
	}
	return list
}
