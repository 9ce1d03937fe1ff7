package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// spellings are the same token in another form: a denylist, or a cache, would
// see another one.
func (f *forger) spellings(t *testing.T) {
	good := f.signed(nil, nil)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	flipped := []byte(good)
	// A signature of 64 bytes ends in four bits that mean nothing.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	flipped[len(flipped)-1] = alphabet[strings.IndexByte(alphabet, flipped[len(flipped)-1])+1]
	for name, raw := range map[string]string{
		"in JSON": fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, body, head, signature), "in JSON with signatures": fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, body, head, signature),
		"with a line break": good[:40] + "\n" + good[40:], "with a blank": good[:40] + " " + good[40:], "with padding": good + "==", "with padding in the payload": head + "." + body + "=." + signature,
		"in another alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+", "with stray bits": string(flipped), "with a dot": good + ".", "with two parts": head + "." + body,
		"with an empty payload": head + ".." + signature, "with a hundred dots": good + strings.Repeat(".", 100), "in front of another": good + "," + good,
	} {
		t.Run("a token has one spelling, not this: "+name, func(t *testing.T) { f.refused(t, raw) })
	}
	encrypted := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + ".QUFB.QUFBQUFBQUFBQUFB.QUFB.QUFBQUFBQUFBQUFBQUFBQQ"
	}
	for name, raw := range map[string]string{
		"with a password of a billion rounds": encrypted(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"QUFBQUFBQUE","p2c":1000000000,"typ":"at+jwt"}`),
		"nested":                              encrypted(`{"alg":"dir","enc":"A256GCM","cty":"JWT","typ":"at+jwt"}`),
		"of RSA":                              encrypted(`{"alg":"RSA1_5","enc":"A128CBC-HS256","typ":"at+jwt","kid":"x"}`),
	} {
		t.Run("nothing is decrypted: "+name, func(t *testing.T) { f.refused(t, raw) })
	}
	for _, header := range []map[string]any{{"crit": []string{"exp"}}, {"crit": []string{"x"}, "x": 1}, {"b64": false}, {"b64": false, "crit": []string{"b64"}}, {"zip": "DEF"}, {"crit": []string{}}} {
		t.Run(fmt.Sprintf("a header that changes how a token is read is refused: %v", header), func(t *testing.T) { f.refused(t, f.signed(header, nil)) })
	}
}

// kinds are tokens of the right issuer with the right claims that are something
// else than access tokens, or for somebody else.
func (f *forger) kinds(t *testing.T) {
	for name, typ := range map[string]any{
		"an ID token or a JWT-SVID": "JWT", "a logout token": "logout+jwt", "a DPoP proof": "dpop+jwt", "a client's assertion": "client-authentication+jwt", "a transaction token": "txntoken+jwt",
		"a key proof": "openid4vci-proof+jwt", "without a type": nil, "the head of an audit log": "portcullis-audit-head+jwt", "nearly an access token": "at+jwt ", "of two types": "at+jwt,JWT",
	} {
		t.Run("what is no access token is not taken for one: "+name, func(t *testing.T) { f.refused(t, f.signed(map[string]any{"typ": typ}, nil)) })
	}
	for name, claims := range map[string]map[string]any{
		"no audience": {"aud": nil}, "another audience": {"aud": "reservations"}, "the audience as a prefix": {"aud": "gateway.evil.test"}, "a prefix of the audience": {"aud": "gatewa"}, "another case": {"aud": "Gateway"},
		"a list of others": {"aud": []string{"search", "reservations"}}, "an empty list": {"aud": []string{}}, "an object": {"aud": map[string]any{"gateway": true}}, "a list within a list": {"aud": [][]string{{"gateway"}}},
		"no subject": {"sub": nil}, "no client": {"client_id": nil}, "no id": {"jti": nil}, "a bound key that nobody proves": {"cnf": map[string]any{"jkt": "x"}}, "another issuer": {"iss": "https://evil.test"},
		"the issuer with a slash": {"iss": f.outside.URL + "/"}, "a list of issuers": {"iss": []string{f.outside.URL}}, "our own issuer": {"iss": f.authURL},
	} {
		t.Run("a token is for us, and of whom it says: "+name, func(t *testing.T) { f.refused(t, f.signed(nil, claims)) })
	}
	t.Run("one of several audiences is enough, by policy", func(t *testing.T) {
		f.accepted(t, f.signed(nil, map[string]any{"aud": []string{"account", audience}}))
	})
}

func (f *forger) sizes(t *testing.T) {
	for name, raw := range map[string]string{
		"a byte more than is read":     f.signed(nil, map[string]any{"pad": strings.Repeat("a", 8<<10)}),
		"a mebibyte":                   f.signed(nil, map[string]any{"pad": strings.Repeat("a", 1<<20)}),
		"a nest of a thousand objects": f.outside.MintRaw(nil, `{"a":`+strings.Repeat(`{"a":`, 1000)+"1"+strings.Repeat("}", 1001)),
		"a nest of actors":             f.signed(nil, map[string]any{"act": nest(5)}), "a hundred thousand dots": strings.Repeat(".", 100_000), "a large header": f.signed(map[string]any{"pad": strings.Repeat("a", 2<<10)}, nil),
	} {
		t.Run("what is too large or too deep is refused: "+name, func(t *testing.T) { f.refused(t, raw) })
	}
}

// nest is an act claim of some depth.
func nest(depth int) map[string]any {
	a := map[string]any{"sub": fmt.Sprintf("actor-%d", depth)}
	if depth > 1 {
		a["act"] = nest(depth - 1)
	}
	return a
}

// duplicates say two things, of which two readers may each see another.
func (f *forger) duplicates(t *testing.T) {
	data, err := json.Marshal(f.good(nil))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(data[1:])
	for name, first := range map[string]string{
		"two subjects": `"sub":"admin"`, "a subject in capitals": `"SUB":"admin"`, "a subject with a long s": `"ſub":"admin"`, "two audiences": `"aud":"search"`, "two scopes": `"scope":"admin"`, "a scope in capitals": `"Scope":"admin"`,
		"two expiries": `"exp":9999999999`, "a duplicate inside act": `"act":{"sub":"a","sub":"b"}`, "act in capitals": `"Act":{"sub":"a"}`, "a duplicate in what we do not read": `"x":{"a":1,"a":2}`, "cnf in capitals": `"CNF":{"jkt":"x"}`,
	} {
		t.Run("a token says one thing, not "+name, func(t *testing.T) { f.refused(t, f.outside.MintRaw(nil, "{"+first+","+rest)) })
	}
	header, err := json.Marshal(f.header(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, first := range map[string]string{"two algorithms": `"alg":"none"`, "another case": `"ALG":"none"`, "two types": `"typ":"JWT"`, "two key ids": `"kid":"x"`} {
		t.Run("a header says one thing, not "+name, func(t *testing.T) {
			f.refused(t, f.outside.Sign([]byte("{"+first+","+string(header[1:])), data))
		})
	}
}

// TestATokenIsGoodInItsTimeAndForHalfAMinuteOfSkew asks the gateway: what the
// clocks of two machines may differ by is forgiven, and nothing more.
func TestATokenIsGoodInItsTimeAndForHalfAMinuteOfSkew(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.startAuth()
	s.startGateway()
	f := newForger(s)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	const inside, outside, far = 15 * time.Second, 45 * time.Second, 1e300
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   int
	}{
		{"expired within the skew", map[string]any{"iat": ago(time.Minute), "exp": ago(inside)}, 200},
		{"expired before the skew", map[string]any{"iat": ago(time.Minute), "exp": ago(outside)}, 401},
		{"issued within the skew ahead", map[string]any{"iat": ago(-inside)}, 200},
		{"issued beyond the skew ahead", map[string]any{"iat": ago(-outside)}, 401},
		{"good from within the skew ahead", map[string]any{"nbf": ago(-inside)}, 200},
		{"good from beyond the skew ahead", map[string]any{"nbf": ago(-outside)}, 401},
		{"living an hour, which is the policy", map[string]any{"iat": ago(0), "exp": ago(0) + 3600}, 200},
		{"living longer than the policy", map[string]any{"iat": ago(0), "exp": ago(0) + 3605}, 401},
		{"with a fraction of a second", map[string]any{"exp": float64(ago(-time.Minute)) + 0.5}, 200},
		{"expiring before it was issued", map[string]any{"iat": ago(0), "exp": ago(20 * time.Second)}, 401},
		{"without exp", map[string]any{"exp": nil}, 401},
		{"without iat", map[string]any{"iat": nil}, 401},
		{"exp as text", map[string]any{"exp": fmt.Sprint(ago(-time.Minute))}, 401},
		{"exp past all calendars", map[string]any{"exp": far}, 401},
		{"exp before the epoch", map[string]any{"exp": -1}, 401},
		{"iat before the epoch", map[string]any{"iat": -1e9}, 401},
		{"nbf past all calendars", map[string]any{"nbf": far}, 401},
		{"exp true", map[string]any{"exp": true}, 401},
		{"exp a list", map[string]any{"exp": []int64{ago(-time.Minute)}}, 401},
		{"exp zero", map[string]any{"exp": 0}, 401},
		{"iat zero and exp now", map[string]any{"iat": 0, "exp": ago(-time.Minute)}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := f.bearer(f.signed(nil, c.claims)); a.status != c.want {
				t.Errorf("got %d, want %d: %s", a.status, c.want, a.body)
			}
		})
	}
}
