package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// unlimited is a rate that nothing here reaches: a refusal costs nothing.
const unlimited = "100000000"

// issuer is a token service of the run, with a database of its own.
type issuer struct {
	name, addr string
	flags      []string
	pid        int
}

func (i *issuer) url() string { return "https://" + i.addr }

func (s *system) secretFile(i *issuer, client string) string {
	return filepath.Join(s.dir, i.name+"-"+client+".secret")
}

func (s *system) secret(i *issuer, client string) (string, error) {
	text, err := os.ReadFile(s.secretFile(i, client))
	return strings.TrimSpace(string(text)), err
}

// serve starts a token service whose clients have secrets.
func (s *system) serve(ctx context.Context, i *issuer, clients ...string) error {
	data, program := filepath.Join(s.dir, i.name), filepath.Join(s.dir, "authserver")
	for _, client := range clients {
		cmd := exec.CommandContext(ctx, program, "client", "secret", client,
			"--data", data, "--policies", s.policies(), "--out", s.secretFile(i, client))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("making the secret of client %s: %w\n%s", client, err, out)
		}
	}
	var err error
	i.pid, err = s.spawn(ctx, i.addr, program, append([]string{
		"serve", "--addr", i.addr, "--issuer", i.url(),
		"--policies", s.policies(), "--data", data, "--cert", s.authCert.Cert, "--key", s.authCert.Key,
	}, i.flags...)...)
	return err
}
