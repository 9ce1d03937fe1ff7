package clients_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
	"portcullis/policies/policy"
)

const demoOnly = `version: 1
clients:
  - name: demo
    grants: [client_credentials]
    audiences:
      - {name: gateway, scopes: [search:read, reservations:read]}
    lifetime: 2m
`

const authURL = "https://auth.test"

// by is a secret, sent as most clients do.
func by(client, secret string) clients.Proof {
	return clients.Proof{Method: clients.Basic, ID: client, Secret: secret}
}

// fixture is a registry over a real folder and a real database.
type fixture struct {
	dir     string
	db      *store.Store
	metrics *prometheus.Registry
	*clients.Registry
}

func newFixture(t *testing.T, policies string) fixture {
	t.Helper()
	f := fixture{dir: t.TempDir(), metrics: prometheus.NewRegistry()}
	f.write(t, policies)
	var err error
	if f.db, err = store.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	f.Registry, err = clients.New(clients.Config{
		Policies: os.DirFS(f.dir), Store: f.db, Issuer: authURL, Metrics: f.metrics, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f fixture) write(t *testing.T, policies string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "clients.yaml"), []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secret gives a client a new secret.
func (f fixture) secret(t *testing.T, name string) string {
	t.Helper()
	secret := clients.NewSecret(name)
	if err := f.db.AddSecret(t.Context(), name, clients.Digest(secret), time.Now()); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestAClientIsWhoHasOneOfItsTwoNewestSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoOnly)
	first, second, third := f.secret(t, "demo"), f.secret(t, "demo"), f.secret(t, "demo")
	got, err := f.Authenticate(t.Context(), by("demo", third))
	if err != nil {
		t.Fatal(err)
	}
	want := issue.Client{
		ID: "demo", Grants: []string{"client_credentials"}, Serves: []string{"demo"}, Lifetime: 2 * time.Minute,
		Audiences: []issue.Audience{{Name: "gateway", Scopes: []string{"search:read", "reservations:read"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what demo may ask for (-want +got):\n%s", diff)
	}
	if _, err := f.Authenticate(t.Context(), by("demo", second)); err != nil {
		t.Errorf("the second newest secret: %v", err)
	}
	if _, err := f.Authenticate(t.Context(), by("demo", first)); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("the third newest secret: %v, want a refusal", err)
	}
}

func TestEverybodyElseIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoOnly)
	demo, removed := f.secret(t, "demo"), f.secret(t, "removed")
	digest := clients.Digest(demo)
	for name, who := range map[string]struct{ client, secret string }{
		"an unknown client":                           {"nobody", demo},
		"a wrong secret":                              {"demo", clients.NewSecret("demo")},
		"no secret":                                   {"demo", ""},
		"a digest in place of the secret":             {"demo", digest},
		"a client that the policy files do not name":  {"removed", removed},
		"a client by another spelling":                {"Demo", demo},
		"the placeholder that an absent digest has":   {"demo", strings.Repeat("-", len(digest))},
		"a client without a secret and an empty one":  {"nobody", ""},
		"the secret of another client":                {"demo", removed},
		"a secret with something behind it":           {"demo", demo + "x"},
		"a secret cut short":                          {"demo", demo[:len(demo)-1]},
		"a name that would be SQL if it were pasted ": {"demo' OR 1=1 --", demo},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := f.Authenticate(t.Context(), by(who.client, who.secret)); !errors.Is(err, clients.ErrRefused) || who.secret != "" && strings.Contains(err.Error(), who.secret) {
				t.Errorf("error %v, want a refusal that does not quote the secret", err)
			}
		})
	}
	if err := f.db.Disable(t.Context(), "demo", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(t.Context(), by("demo", demo)); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("a disabled client: %v, want %v", err, clients.ErrRefused)
	}
}

func TestAFaultIsNotARefusal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoOnly)
	secret := f.secret(t, "demo")
	f.db.Close()
	_, err := f.Authenticate(t.Context(), by("demo", secret))
	if err == nil || errors.Is(err, clients.ErrRefused) {
		t.Fatalf("error %v, want a fault", err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the fault quotes the secret: %v", err)
	}
}

func TestABrokenFileKeepsTheOldClients(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoOnly)
	secret, before := f.secret(t, "demo"), f.Version()
	fresh := func() float64 {
		t.Helper()
		families, err := f.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range families {
			if m.GetName() == "authserver_policy_fresh" {
				return m.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("there is no metric authserver_policy_fresh")
		return 0
	}

	f.write(t, demoOnly+"clint: []\n")
	err := f.Reload()
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok || mistakes[0].Pos.String() != "clients.yaml:8:1" {
		t.Fatalf("error %v, want the mistake at clients.yaml:8:1", err)
	}
	if fresh() != 0 || f.Version() != before {
		t.Errorf("fresh %v, version %q: want 0 and the old one", fresh(), f.Version())
	}
	if _, err := f.Authenticate(t.Context(), by("demo", secret)); err != nil {
		t.Errorf("demo after a broken reload: %v", err)
	}

	f.write(t, strings.ReplaceAll(demoOnly, "demo", "other"))
	if err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	if fresh() != 1 || f.Version() == before {
		t.Errorf("fresh %v, version %q: want 1 and a new one", fresh(), f.Version())
	}
	if _, err := f.Authenticate(t.Context(), by("demo", secret)); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("demo after it was removed: %v, want a refusal", err)
	}
	if n, err := testutil.GatherAndCount(f.metrics, "authserver_policy_reloads_total"); err != nil || n != 2 {
		t.Errorf("%d results of reloads are counted, want loaded and refused: %v", n, err)
	}
}

func TestARegistryDoesNotStartOnABrokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fixture{dir: dir}.write(t, "version: 1\nclients: 7\n")
	f := newFixture(t, demoOnly)
	if _, err := clients.New(clients.Config{Policies: os.DirFS(dir), Store: f.db}); err == nil {
		t.Error("it starts")
	}
}

func TestASecretNamesItsClientAndIsNeverTheSame(t *testing.T) {
	t.Parallel()
	a, b := clients.NewSecret("demo"), clients.NewSecret("demo")
	if a == b {
		t.Error("two secrets are the same")
	}
	if !strings.HasPrefix(a, "pcs_demo_") || len(a) != len("pcs_demo_")+43 {
		t.Errorf("secret of %d characters, want pcs_demo_ and 43 more", len(a))
	}
	if d := clients.Digest(a); !strings.HasPrefix(d, "v1:sha256:") || strings.Contains(d, a[9:]) {
		t.Errorf("digest %q, want v1:sha256: and nothing of the secret", d)
	}
}

func TestNamesOfClientsArePlain(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"demo": true, "search-2.eu_west": true, strings.Repeat("a", 64): true,
		"": false, "a b": false, "a:b": false, "a/b": false, "é": false, "a\n": false, strings.Repeat("a", 65): false,
	} {
		if err := clients.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := clients.CheckName("a b"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", "a b")) {
		t.Errorf("error %v does not quote the name", err)
	}
}
