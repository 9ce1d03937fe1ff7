package token

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// secretFileBytes bounds a file that holds a secret; ours have less than a
// hundred.
const secretFileBytes = 4 << 10

// ReadSecret reads the client secret that file holds on its one line. No error
// holds any of the file's text.
func ReadSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, secretFileBytes+1))
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || len(text) > secretFileBytes || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("the file %q does not hold one secret on one line, as `authserver client secret NAME --out FILE` writes it", file)
	}
	return secret, nil
}
