package compile

import (
	"errors"
	"fmt"
	"strings"

	"portcullis/policies/policy"
)

// maxSecret bounds a secret in bytes, which travels in a header field of every
// request.
const maxSecret = 8 << 10

// expand replaces each ${file:PATH} in a value by what the file holds. No error
// quotes it.
func (b *build) expand(value policy.Value[string]) (string, error) {
	const begin, end = "${file:", "}"
	var out strings.Builder
	rest := value.V
	for {
		before, after, found := strings.Cut(rest, begin)
		out.WriteString(before)
		if !found {
			break
		}
		path, tail, closed := strings.Cut(after, end)
		if !closed {
			return "", errors.New("${file:PATH} is not closed by a brace")
		}
		secret, err := b.secret(path)
		if err != nil {
			return "", err
		}
		out.WriteString(secret)
		rest = tail
	}
	if out.Len() > maxSecret {
		return "", fmt.Errorf("with its secret in place, the value is longer than %d bytes", maxSecret)
	}
	return out.String(), nil
}

// secret is the one line that a file holds. A second line would become a header
// field of its own.
func (b *build) secret(path string) (string, error) {
	if b.Secret == nil {
		return "", errors.New("no secret can be read here")
	}
	secret, err := b.Secret(path)
	if err != nil {
		return "", fmt.Errorf("the secret in %q: %w", path, err)
	}
	secret = strings.TrimSuffix(strings.TrimSuffix(secret, "\n"), "\r")
	switch {
	case secret == "":
		return "", fmt.Errorf("the file %q is empty; it must hold the secret on one line", path)
	case len(secret) > maxSecret:
		return "", fmt.Errorf("the file %q holds more than %d bytes; it must hold the secret on one line", path, maxSecret)
	case strings.ContainsAny(secret, "\r\n"):
		return "", fmt.Errorf("the file %q holds more than one line; it must hold only the secret", path)
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", fmt.Errorf("the file %q holds a character that no header field may hold; write printable ASCII", path)
	}
	fmt.Fprintf(b.secrets, "%d %s %d %s\n", len(path), path, len(secret), secret)
	return secret, nil
}
