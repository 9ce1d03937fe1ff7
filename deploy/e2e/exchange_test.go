package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestADelegationOnlyEverGetsNarrower exchanges tokens for more than they are
// worth.
func TestADelegationOnlyEverGetsNarrower(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.startAuth()
	ask := func(pairs ...string) string {
		return d.must(d.post("/token", d.by("robot", append(pairs, "grant_type", "client_credentials")...))).Access
	}
	relay := ask("audience", "hop1", "scope", "relay")
	refused := func(name, code string, a func() answer) {
		t.Run("an exchange is refused: "+name, func(t *testing.T) {
			if got := a(); got.status != http.StatusBadRequest || got.granted().Error != code || got.granted().Access != "" {
				t.Errorf("got %d %s, want %s", got.status, got.body, code)
			}
		})
	}
	refused("for a scope that the subject's token has not", "invalid_scope", func() answer { return d.exchange("hop1", relay, "hop2", "scope", "relay other") })
	refused("for a scope that the client has not", "invalid_scope", func() answer { return d.exchange("hop1", ask("audience", "hop1"), "hop2", "scope", "other") })
	refused("for no scope that both have", "invalid_scope", func() answer { return d.exchange("hop1", ask("audience", "hop1", "scope", "other"), "hop2") })
	refused("for an audience that the client has not", "invalid_target", func() answer { return d.exchange("hop1", relay, audience) })
	refused("for two audiences", "invalid_target", func() answer { return d.exchange("hop1", relay, "hop2", "resource", "hop1") })
	refused("of a token that was not sent to the client", "invalid_request", func() answer { return d.exchange("hop2", relay, "hop3") })
	refused("of a token for the gateway, by one behind it", "invalid_request", func() answer { return d.exchange("hop2", ask("audience", audience), "hop3") })
	refused("of a token that names who may act", "invalid_request", func() answer { return d.exchange("hop3", ask("audience", "hop3"), "hop4") })
	refused("by the one who may act, but whom it is not for", "invalid_request", func() answer { return d.exchange("hop4", ask("audience", "hop3"), "hop5") })
	refused("by a client without the grant", "unauthorized_client", func() answer { return d.exchange("robot", relay, audience) })
	refused("with somebody else as the one who acts", "invalid_request", func() answer {
		return d.exchange("hop1", relay, "hop2", "actor_token", ask("audience", audience), "actor_token_type", "urn:ietf:params:oauth:token-type:access_token")
	})
	refused("of a token that is called a refresh token", "invalid_request", func() answer {
		f := d.by("hop1", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", relay, "audience", "hop2", "subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token")
		return d.post("/token", f)
	})
	refused("for a refresh token", "invalid_request", func() answer {
		return d.exchange("hop1", relay, "hop2", "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")
	})
	refused("of an assertion", "invalid_request", func() answer { return d.exchange("hop1", d.assertion("hop1"), "hop2") })

	second := d.must(d.exchange("hop1", relay, "hop2")).Access
	refused("that comes back to who acts already", "invalid_request", func() answer {
		return d.exchange("hop1", d.must(d.exchange("hop2", second, "hop1")).Access, "hop2")
	})
	third := d.must(d.exchange("hop2", second, "hop3")).Access
	fourth := d.must(d.exchange("hop3", third, "hop4")).Access
	fifth := d.must(d.exchange("hop4", fourth, "hop5")).Access
	refused("of the fifth hop", "invalid_request", func() answer { return d.exchange("hop5", fifth, audience) })
	t.Run("each hop is named, and nobody else", func(t *testing.T) {
		c := claims(t, fifth)
		for act, i := c["act"], 0; ; i++ {
			a, _ := act.(map[string]any)
			if i == 4 {
				if a != nil {
					t.Errorf("and then %v", a)
				}
				break
			}
			if want := []string{"hop4", "hop3", "hop2", "hop1"}[i]; str(a["sub"]) != want {
				t.Fatalf("hop %d is %v, want %s", i, a, want)
			}
			act = a["act"]
		}
		if c["sub"] != "robot" || c["scope"] != "relay" || c["aud"] != "hop5" || c["client_id"] != "hop4" || c["exp"].(float64) > claims(t, relay)["exp"].(float64) {
			t.Errorf("the token says %v", c)
		}
	})
	t.Run("a chain ends when its first token is revoked", func(t *testing.T) {
		if a := d.post("/revoke", d.by("robot", "token", relay)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for client, raw := range map[string]string{"hop2": second, "hop3": third, "hop4": fourth, "hop5": fifth} {
			if d.active(client, raw) {
				t.Errorf("the token for %s is still good", client)
			}
		}
		if a := d.exchange("hop1", relay, "hop2"); a.granted().Error != "invalid_request" {
			t.Errorf("the revoked token itself: %d %s", a.status, a.body)
		}
	})
	d.outsiders(t)
}

// outsiders are tokens of an issuer that the policy trusts, and of which the
// token service makes its own. Those that are forged see token_forgery_test.go.
func (d *desk) outsiders(t *testing.T) {
	f := newForger(d.system)
	soon := time.Now().Add(20 * time.Second).Unix()
	a := f.subject(f.signed(nil, map[string]any{"exp": soon, "scope": "search:read e2e admin"}))
	t.Run("what is made of an outside token lives no longer and may no more", func(t *testing.T) {
		c := claims(t, d.must(a).Access)
		if c["exp"].(float64) > float64(soon) || c["scope"] != "search:read" || c["iss"] != d.authURL || c["sub"] != "g-7" || c["client_id"] != "gateway" {
			t.Errorf("the token says %v", c)
		}
	})
	for name, over := range map[string]map[string]any{
		"expired within the skew":        {"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(-5 * time.Second).Unix()},
		"without a scope of ours":        {"scope": "e2e"},
		"acted for by four already":      {"act": nest(4)},
		"acted for by ourselves already": {"act": map[string]any{"sub": "gateway"}},
		"made of eight others":           {"lineage": []string{"1", "2", "3", "4", "5", "6", "7", "8"}},
		"that names another to act":      {"may_act": map[string]any{"sub": "search"}},
		"of the client itself":           {"sub": "gateway"},
		"with an act that is no object":  {"act": "gateway"},
		"with a may_act that is text":    {"may_act": "gateway"},
		"with a lineage that is text":    {"lineage": "x"},
	} {
		t.Run("nothing is made of an outside token "+name, func(t *testing.T) {
			if a := f.subject(f.signed(nil, over)); a.status != http.StatusBadRequest || a.granted().Error != "invalid_request" && a.granted().Error != "invalid_scope" {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}
