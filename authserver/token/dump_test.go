package token_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

// veiled keeps a token where a search of the memory does not find it.
type veiled []byte

func veil(raw string) veiled {
	v := []byte(raw)
	for i := range v {
		v[i] ^= 0x55
	}
	return v
}

func (v veiled) lift() []byte { return []byte(veil(string(v))) }

// Somebody gets hold of the memory of a process that has verified tokens: by a
// core dump, swap or a debugger. No token is found there that could be used.
func TestADumpOfTheMemoryHoldsNoUsableToken(t *testing.T) {
	issuer := tokentest.New(t)
	verifier := issuer.Verifier()
	opaque := verifierOf(t, token.IssuerConfig{
		Name: "hotel", URL: "https://issuer.test", Audience: tokentest.Audience, HTTP: &http.Client{Transport: &asked{}},
		Introspection: &token.IntrospectionConfig{URL: "https://issuer.test/i", ClientID: "gateway", Secret: func() (string, error) { return secret, nil }},
	})
	var jwts, opaques []veiled
	done := make(chan struct{})
	go func() { // on a stack that is gone afterwards
		defer close(done)
		for range 20 {
			raw := issuer.Mint(nil)
			if _, err := verifier.Verify(t.Context(), raw, time.Now()); err != nil {
				t.Error(err)
			}
			jwts = append(jwts, veil(raw))
			raw = "good-" + raw[len(raw)-40:] + "-opaque"
			if _, err := opaque.Verify(t.Context(), raw, time.Now()); err != nil {
				t.Error(err)
			}
			opaques = append(opaques, veil(raw))
		}
	}()
	<-done
	held := issuer.Mint(nil) // to show that a dump is a dump
	dump := memory(t)
	if !bytes.Contains(dump, []byte(held)) {
		t.Fatal("a token that is held is not found: the search finds nothing")
	}
	runtime.KeepAlive(held)
	if n := verifier.Cached(); n != 20 {
		t.Fatalf("%d tokens are remembered", n)
	}
	for i := range jwts {
		raw := jwts[i].lift()
		signature := raw[bytes.LastIndexByte(raw, '.')+1:]
		if bytes.Contains(dump, signature) {
			t.Errorf("the signature of token %d is in the memory", i)
		}
		if bytes.Contains(dump, opaques[i].lift()) {
			t.Errorf("opaque token %d is in the memory", i)
		}
	}
	runtime.KeepAlive(verifier)
	runtime.KeepAlive(opaque)
}

// What a token was hashed in is used again, and could be dumped meanwhile.
func TestNoBufferKeepsAToken(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would empty the pool
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // each processor has buffers of its own
	issuer := tokentest.New(t)
	verifier, raw := issuer.Verifier(), issuer.Mint(nil)
	for range 8 { // the race detector has a pool lose some
		if _, err := verifier.Verify(t.Context(), raw, time.Now()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(verifier.Residue(), []byte(raw[len(raw)-20:])) {
			t.Fatal("the end of the token stands in a buffer")
		}
	}
}

// memory is all that is alive on the heap and on the stacks.
func memory(t *testing.T) []byte {
	t.Helper()
	for range 3 { // the second empties pools, the third what they held
		runtime.GC()
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "dump"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	debug.WriteHeapDump(f.Fd())
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	dump, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}
