package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The transport to the token service offers HTTP/2, the ones to upstreams must
// not: what one of them writes into the configuration they came from, the
// others would offer too.
func TestCredentialsLeaveTheSharedTLSConfigurationAlone(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 8)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(service.Close)
	shared := service.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	shared.NextProtos = nil
	id := identity{tokenURL: service.URL + "/token", clientID: "gateway", secretFile: secretFile(t, "pcs_gateway_x")}
	source, err := id.credentials(shared)("search")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("a refusal gave a token")
	}
	<-asked
	if shared.NextProtos != nil {
		t.Errorf("the shared configuration now offers %q", shared.NextProtos)
	}
}

func TestOneSourceOfTokensForEachAudience(t *testing.T) {
	t.Parallel()
	id := identity{tokenURL: "https://localhost:1/token", clientID: "gateway", secretFile: secretFile(t, "x")}
	credential := id.credentials(&tls.Config{MinVersion: tls.VersionTLS12})
	search, err := credential("search")
	if err != nil {
		t.Fatal(err)
	}
	again, err := credential("search")
	if err != nil {
		t.Fatal(err)
	}
	other, err := credential("reservations")
	if err != nil {
		t.Fatal(err)
	}
	if search != again || search == other {
		t.Error("a reload would fetch anew a token that is there, or audiences share one")
	}
}

func TestTheSecretIsReadAnewEachTime(t *testing.T) {
	t.Parallel()
	file := secretFile(t, "first\n")
	id := identity{secretFile: file}
	if got, err := id.secret(); err != nil || got != "first" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := id.secret(); err != nil || got != "second" {
		t.Errorf("got %q, %v after the secret was rotated", got, err)
	}
}

func TestASecretThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"one secret on one line":       secretFile(t, " \n"),
		"reading --client-secret-file": filepath.Join(t.TempDir(), "gone"),
	} {
		if got, err := (identity{secretFile: file}).secret(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %q, %v; want %q", got, err, name)
		}
	}
}

func TestAnIssuersAuthorityThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for want, file := range map[string]string{
		"holds no certificate":    secretFile(t, "no PEM"),
		"reading the issuer's ca": filepath.Join(t.TempDir(), "gone"),
	} {
		if _, err := trusting(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
