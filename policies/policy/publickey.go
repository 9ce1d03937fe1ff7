package policy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	// keysMost lets a client change its key without a gap, twice over; each
	// one may cost a signature check for an assertion that names none.
	keysMost = 4
	// keyLongest is room for RSA of 8192 bits as PEM.
	keyLongest = 4 << 10
	rsaLeast   = 2048
	// rsaMost bounds what checking a signature costs.
	rsaMost = 8192
)

// publicKeys reads a client's keys: the one kind of text with line breaks.
// What stands there is quoted by no mistake, since a private key pasted by
// mistake would go into logs with it.
func publicKeys(into *[]Value[string]) reader {
	read := func(d *decoder, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			d.reportKey(n, errors.New("a list of keys belongs here"))
			return
		}
		var seen [][]byte
		d.items(n, false, func(d *decoder, entry *yaml.Node) {
			if !d.plain(entry) {
				return
			}
			if entry.Kind != yaml.ScalarNode || entry.Tag != "!!str" {
				d.reportKey(entry, errors.New("a public key belongs here"))
				return
			}
			der, err := publicKey(entry.Value)
			if err != nil {
				d.reportKey(entry, err)
				return
			}
			for _, other := range seen {
				if bytes.Equal(der, other) {
					d.report(d.pos(entry), CodeDuplicate, "a key stands twice in this list", "", "leave one of them out")
					return
				}
			}
			if seen = append(seen, der); len(seen) == keysMost+1 {
				d.report(d.pos(entry), CodeBounds, fmt.Sprintf("a client has at most %d keys", keysMost), "", "leave out those that sign no more")
			}
			*into = append(*into, Value[string]{V: entry.Value, Pos: d.pos(entry), Set: true})
		})
	}
	return reader{read: read, schema: func() *schema {
		return &schema{Type: "array", MinItems: 1, Items: &schema{Type: "string", Pattern: "^\\s*-----BEGIN PUBLIC KEY-----"}}
	}}
}

// reportKey says what is wrong with a key and shows nothing of it.
func (d *decoder) reportKey(n *yaml.Node, err error) {
	d.doc.partial = true
	m := At(d.pos(n), CodeForm, err.Error(), "write |, and below it the lines of: openssl pkey -in client.key -pubout")
	if strings.Contains(n.Value, privateKey) {
		m.Code, m.What = CodeUnprotected, "this is a private key, and a policy is read by many"
		m.Hint = "make a new key pair and put its public half here: this one is no longer a secret, wherever else it is used"
	}
	d.mistakes = append(d.mistakes, m)
}

// publicKey is the key of one PEM block (RFC 7468 section 13), as DER.
func publicKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if len(text) > keyLongest {
		return nil, fmt.Errorf("the key is longer than %d bytes", keyLongest)
	}
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil || !strings.HasPrefix(text, "-----BEGIN "):
		return nil, errors.New("this is not a public key in PEM")
	case block.Type != "PUBLIC KEY" || len(block.Headers) > 0:
		return nil, errors.New("the first line must be -----BEGIN PUBLIC KEY-----")
	case len(rest) > 0:
		return nil, errors.New("there is more after the key: one entry, one key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the public key cannot be read")
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("a key on the curve %s cannot be used; use P-256", key.Params().Name)
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < rsaLeast || bits > rsaMost {
			return nil, fmt.Errorf("an RSA key of %d bits cannot be used; use %d to %d", bits, rsaLeast, rsaMost)
		}
		if key.E < 3 || key.E%2 == 0 {
			return nil, fmt.Errorf("an RSA key with the exponent %d cannot be used", key.E)
		}
	case ed25519.PublicKey:
	default:
		return nil, errors.New("a key of this kind cannot be used; use P-256, RSA or Ed25519")
	}
	return block.Bytes, nil
}
