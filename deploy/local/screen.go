package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// try is a command to paste into another terminal.
type try struct{ what, command string }

// tries are the four things to see first. Each stands alone: it needs no other
// to have run before it, only the folder that make was run in.
func (s settings) tries() []try {
	begin := ". " + word(s.sourced()) + "; "
	token := word(s.program("authserver")) + " token get"
	curl := `curl -sS --cacert "$CA_FILE" `
	bearer := `-H "Authorization: Bearer $(` + token + `)" `
	arrival := time.Now().AddDate(0, 0, 30) // a date in the past would be refused
	hotels := `"$GATEWAY_URL/v1/hotels?city=Helsinki&from=` + arrival.Format(time.DateOnly) + `&to=` + arrival.AddDate(0, 0, 2).Format(time.DateOnly) + `&guests=2`
	return []try{
		{"allowed: hotels in Helsinki with free rooms", begin + curl + bearer + hotels + `"`},
		{"no token: 401", begin + curl + "-i " + hotels + `"`},
		{"SQL injection in the query: 403", begin + curl + "-i " + bearer + hotels + `&sort=1'%20OR%20'1'='1'--%20"`},
		{"more than the demo client may ask at once: 200 until 429",
			begin + curl + bearer + `-o /dev/null -w '%{http_code} ' "$GATEWAY_URL/v1/hotels/h-1?try=[1-30]"; echo`},
	}
}

// sourced is the environment file as a shell's dot takes it: without a slash it
// would be looked for in PATH.
func (s settings) sourced() string {
	if path := s.envFile(); filepath.IsAbs(path) || filepath.Dir(path) != "." {
		return path
	}
	return "./" + s.envFile()
}

// word quotes a path only where a shell would not take it as it is.
func word(path string) string {
	for _, c := range path {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '.' || c == '-' || c == '_') {
			return quote(path)
		}
	}
	return path
}

// show prints the one screen.
func (s settings) show(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, `
Portcullis is up after %.1f s.

  booking      %s/   the pages that guests use
  inbox        %s/   all mail that the system sends: it goes nowhere else
  accounts     %s/account

  gateway      %s   the API, for tokens of the authserver
  ops          http://%s   /healthz /readyz /metrics /status
  authserver   %s   /signup for people, /token for clients
  services     %s to %s: mutual TLS only
  outside      %s (bank)  %s (aurora)  %s (baltic): stand-ins
  logs         %s
  environment  %s

Try, in another terminal and this folder:
`, took.Seconds(), s.url(gatewayPort), s.url(inboxPort), s.url(authserverPort),
		s.url(gatewayPort), s.base.address(gatewayOps), s.url(authserverPort),
		s.base.address(searchPort), s.base.address(bookingPort), s.base.address(bankPort), s.base.address(auroraPort), s.base.address(balticPort),
		filepath.Join(s.run, "log", "*.log"), s.envFile())
	for _, t := range s.tries() {
		fmt.Fprintf(out, "\n# %s\n%s\n", t.what, t.command)
	}
	fmt.Fprintf(out, "\nAn edit of %s is in force within a second or two; a broken one changes nothing, and the log says why.\n"+
		"Ctrl-C stops everything in order; the data stays.\n", s.policies)
}
