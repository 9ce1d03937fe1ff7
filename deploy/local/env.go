package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// variable is one line of the environment file.
type variable struct{ name, value string }

// variables are what a client of the system has to know.
func (s settings) variables(ca string) ([]variable, error) {
	secret, err := os.ReadFile(s.secret("demo"))
	if err != nil {
		return nil, err
	}
	control, err := filepath.Abs(s.control()) // as for ca: it is used from other folders than this
	if err != nil {
		return nil, err
	}
	return []variable{
		{"GATEWAY_URL", s.url(gatewayPort)},
		{"OPS_URL", "http://" + s.base.address(gatewayOps)},
		{"AUTHSERVER_URL", s.url(authserverPort)},
		{"INBOX_URL", s.url(inboxPort)},
		{"BANK_URL", s.url(bankPort)},
		{"AURORA_URL", s.url(auroraPort)},
		{"BALTIC_URL", s.url(balticPort)},
		{"CA_FILE", ca},
		{"CONTROL", control},
		{"CLIENT_ID", "demo"},
		{"CLIENT_SECRET", strings.TrimSpace(string(secret))},
	}, nil
}

// envFile is where the variables are.
func (s settings) envFile() string { return filepath.Join(s.run, "env") }

// writeEnv writes variables to be sourced by a shell, in one step and for the
// owner only. Its coming is the sign that the system is up.
func writeEnv(path string, variables []variable) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".env-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	for _, v := range variables {
		_, werr := fmt.Fprintf(f, "export %s=%s\n", v.name, quote(v.value))
		err = errors.Join(err, werr)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// quote makes value one word of a POSIX shell, whatever is in it.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }
