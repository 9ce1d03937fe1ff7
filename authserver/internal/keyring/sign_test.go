package keyring_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"portcullis/authserver/internal/keyring"
)

func TestARingSignsWhatItsKeySetVerifies(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{"", jose.ES256, jose.RS256} {
		ring := open(t, keyring.Config{Storage: &keyring.Memory{}, Algorithm: alg})
		if alg == "" {
			alg = jose.ES256
		}
		// More often than a short r or s is rare: one in 128 has one.
		times := 600
		if alg == jose.RS256 {
			times = 5
		}
		for range times {
			for _, typ := range []string{"at+jwt", "JWT", "audit-head+jwt"} {
				verify(t, ring, alg, typ)
			}
		}
	}
}

func verify(t *testing.T, ring *keyring.Ring, alg jose.SignatureAlgorithm, typ string) {
	t.Helper()
	raw, err := ring.Sign(typ, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != typ || header.Algorithm != string(alg) || len(header.ExtraHeaders) != 1 {
		t.Fatalf("the header is %+v", header)
	}
	set := ring.JWKS()
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || keys[0].Use != "sig" || keys[0].Algorithm != string(alg) {
		t.Fatalf("the key set is %+v", keys)
	}
	if payload, err := parsed.Verify(keys[0]); err != nil || string(payload) != `{"a":1}` {
		t.Fatalf("%s: %q, %v", alg, payload, err)
	}
}

func TestTheHeaderIsAlgKidTyp(t *testing.T) {
	ring := open(t, keyring.Config{Storage: &keyring.Memory{}})
	raw, err := ring.Sign("at+jwt", nil)
	if err != nil {
		t.Fatal(err)
	}
	header, err := base64.RawURLEncoding.DecodeString(raw[:strings.IndexByte(raw, '.')])
	if want := `{"alg":"ES256","kid":"` + ring.Signer().ID + `","typ":"at+jwt"}`; err != nil || string(header) != want {
		t.Errorf("%s, want %s: %v", header, want, err)
	}
}

func TestATypeCannotWriteIntoTheHeader(t *testing.T) {
	ring := open(t, keyring.Config{Storage: &keyring.Memory{}})
	for _, typ := range []string{"", `JWT","alg":"none`, "a b", "JWT\n", "ä", strings.Repeat("x", 65)} {
		if raw, err := ring.Sign(typ, nil); err == nil {
			t.Errorf("%q made %s", typ, raw)
		}
	}
}

// liar is a signer that answers anything.
type liar struct {
	crypto.Signer
	answer []byte
}

func (l liar) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return l.answer, nil }

func TestWhatIsNoSignatureIsAnError(t *testing.T) {
	key := *open(t, keyring.Config{Storage: &keyring.Memory{}}).Signer()
	encode := func(r, s *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	one, long := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)
	good := encode(one, one)
	for name, der := range map[string][]byte{
		"nothing": nil, "an r of 33 bytes": encode(long, one), "an s of 33 bytes": encode(one, long),
		"a negative r": encode(big.NewInt(-1), one), "something after it": append(good[:len(good):len(good)], 0), "half of it": good[:4],
	} {
		key.Signer = liar{key.Signer, der}
		if signature, err := key.Signature([]byte("x")); err == nil {
			t.Errorf("%s became %x", name, signature)
		}
	}
	key.Signer = liar{key.Signer, good}
	want := make([]byte, 64)
	want[31], want[63] = 1, 1
	if signature, err := key.Signature([]byte("x")); err != nil || string(signature) != string(want) {
		t.Errorf("%x, %v", signature, err)
	}
}

func TestSigningAddsFewAllocations(t *testing.T) {
	ring := open(t, keyring.Config{Storage: &keyring.Memory{}})
	payload, digest := make([]byte, 300), make([]byte, sha256.Size)
	key := ring.Signer().Signer.(*ecdsa.PrivateKey)
	raw := testing.AllocsPerRun(100, func() { _, _ = key.Sign(rand.Reader, digest, crypto.SHA256) })
	full := testing.AllocsPerRun(100, func() { _, _ = ring.Sign("at+jwt", payload) })
	// The buffer, the digest, the two coordinates, the token.
	if full > raw+4 {
		t.Errorf("%v allocations, of which the signature makes %v", full, raw)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		ring := open(b, keyring.Config{Storage: &keyring.Memory{}, Algorithm: alg})
		payload, digest := []byte(strings.Repeat("x", 300)), make([]byte, sha256.Size)
		b.Run(string(alg)+"/raw", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.Signer().Signer.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(alg)+"/token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.Sign("at+jwt", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
