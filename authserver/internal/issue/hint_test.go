package issue_test

import (
	"strings"
	"testing"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
)

func TestAHintIsAnIDTokenOfOurs(t *testing.T) {
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	hints, err := issue.NewHints("https://auth.test", ring)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(r *keyring.Ring, typ, payload string) string {
		t.Helper()
		raw, err := r.Sign(typ, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	const good = `{"iss":"https://auth.test","sub":"u-7","aud":"booking","exp":1}`
	subject, client, err := hints.Hint(sign(ring, "JWT", good))
	if err != nil || subject != "u-7" || client != "booking" {
		t.Errorf("an ID token that expired long ago: %q %q %v", subject, client, err)
	}
	for name, raw := range map[string]string{
		"one of somebody else":     sign(other, "JWT", good),
		"an access token":          sign(ring, "at+jwt", good),
		"another issuer's":         sign(ring, "JWT", strings.Replace(good, "auth.test", "evil.test", 1)),
		"one without a subject":    sign(ring, "JWT", `{"iss":"https://auth.test","aud":"booking"}`),
		"one with a subject twice": sign(ring, "JWT", `{"iss":"https://auth.test","sub":"a","sub":"b","aud":"booking"}`),
		"one with another payload": strings.Replace(sign(ring, "JWT", good), ".", ".e30", 1),
		"garbage":                  "a.b.c",
		"a long one":               strings.Repeat("a", 5000),
	} {
		if subject, _, err := hints.Hint(raw); err == nil {
			t.Errorf("%s was taken for %q", name, subject)
		}
	}
}
