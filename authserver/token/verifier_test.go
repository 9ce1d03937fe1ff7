package token_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

type claims = map[string]any

func TestAGoodTokenSaysWhoCalls(t *testing.T) {
	issuer, now := tokentest.New(t), time.Now()
	raw := issuer.Mint(claims{
		"aud": []string{"https://other.test", tokentest.Audience}, "scope": "search:read reservations:write search:read",
		"act":     claims{"sub": "gateway", "act": claims{"sub": "search"}},
		"may_act": claims{"sub": "kiosk", "iss": "https://other.test"}, "lineage": []string{"grant-1", "t-0"},
		"iat": now.Unix(), "auth_time": now.Unix() - 100,
	})
	p, err := issuer.Verifier().Verify(t.Context(), raw, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p.Issuer != "hotel" || p.Subject != "g-7" || p.Client != "demo" || p.TokenID != "t-1" || p.Actor != "gateway" {
		t.Errorf("the principal is %+v", p)
	}
	if !slices.Equal(p.Actors, []string{"gateway", "search"}) || p.MayAct != "kiosk" || !slices.Equal(p.Lineage, []string{"grant-1", "t-0"}) {
		t.Errorf("the chains are %+v", p)
	}
	if p.Issued.Unix() != now.Unix() || p.AuthTime.Unix() != now.Unix()-100 || p.KeyID != issuer.Key().KeyID {
		t.Errorf("the times and the key are %+v", p)
	}
	if !p.Has("search:read") || !p.Has("reservations:write") || p.Has("search") || len(p.Scopes) != 2 {
		t.Errorf("the scopes are %q", p.Scopes)
	}
}

// attack is a token that must not pass, made from an issuer's good ones.
type attack struct {
	name string
	make func(*tokentest.Issuer) string
	// because is part of the private cause: the token must be refused for what
	// is wrong with it and not for something else.
	because string
}

func with(changes claims) func(*tokentest.Issuer) string {
	return func(i *tokentest.Issuer) string { return i.Mint(changes) }
}

func header(changes claims) func(*tokentest.Issuer) string {
	return func(i *tokentest.Issuer) string { return i.MintRaw(changes, payload(i)) }
}

// payload is that of a good token.
func payload(i *tokentest.Issuer) []byte { return part(i.Mint(nil), 1) }

func part(raw string, n int) []byte {
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		panic(err)
	}
	return data
}

// spliced signs a good payload into which extra members were written by hand.
func spliced(extra string) func(*tokentest.Issuer) string {
	return func(i *tokentest.Issuer) string {
		return i.MintRaw(nil, bytes.Replace(payload(i), []byte("{"), []byte("{"+extra+","), 1))
	}
}

// hmacWith signs as HS256 with public bytes as the secret.
func hmacWith(secret func(*tokentest.Issuer) []byte) func(*tokentest.Issuer) string {
	return func(i *tokentest.Issuer) string {
		head, _ := json.Marshal(claims{"alg": "HS256", "kid": i.Key().KeyID, "typ": "at+jwt"})
		input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload(i))
		mac := hmac.New(sha256.New, secret(i))
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
}

func soon(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func attacks(stranger *tokentest.Issuer) []attack {
	return []attack{
		{"nothing at all", func(*tokentest.Issuer) string { return "" }, "three parts"},
		{"garbage", func(*tokentest.Issuer) string { return "garbage" }, "three parts"},
		{"two dots and nothing else", func(*tokentest.Issuer) string { return ".." }, "is empty"},
		{"alg none with an empty signature", func(i *tokentest.Issuer) string {
			raw := i.MintRaw(claims{"alg": "none"}, payload(i))
			return raw[:strings.LastIndexByte(raw, '.')+1]
		}, "is empty"},
		{"alg none with a signature", header(claims{"alg": "none"}), `alg "none" is not accepted`},
		{"alg None in another case", header(claims{"alg": "nOnE"}), `alg "nOnE" is not accepted`},
		{"HS256 with the key's PEM as the secret", hmacWith(func(i *tokentest.Issuer) []byte {
			der, _ := x509.MarshalPKIXPublicKey(i.Key().Key)
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}), `alg "HS256" is not accepted`},
		{"HS256 with the key's JWK as the secret", hmacWith(func(i *tokentest.Issuer) []byte {
			data, _ := json.Marshal(i.Key())
			return data
		}), `alg "HS256" is not accepted`},
		{"an accepted alg that is not the key's", header(claims{"alg": "RS256"}), "is not that of key"},
		{"no alg", header(claims{"alg": nil}), "alg is missing"},

		{"no kid", header(claims{"kid": nil}), "kid is missing"},
		{"a kid that is a path", header(claims{"kid": "../../dev/null"}), "has no key"},
		{"a kid that is SQL", header(claims{"kid": "' OR 1=1 --"}), "has no key"},
		{"a kid with NUL", header(claims{"kid": "a\x00b"}), "not allowed"},
		{"a kid with a line break", header(claims{"kid": "a\nb"}), "not allowed"},
		{"a kid of a thousand bytes", header(claims{"kid": strings.Repeat("k", 900)}), "more than 256"},
		{"a kid of 129 bytes", header(claims{"kid": strings.Repeat("k", 129)}), "more than 128"},
		{"a header of 64 KiB", header(claims{"kid": strings.Repeat("k", 64<<10)}), "more than 8192"},
		{"a header over 1 KiB", header(claims{"x": strings.Repeat("x", 1<<10)}), "more than 1024"},
		{"a kid that only looks like the key's", func(i *tokentest.Issuer) string {
			return i.MintRaw(claims{"kid": "\u0430" + i.Key().KeyID}, payload(i))
		}, "has no key"},
		{"a kid that is a number", header(claims{"kid": 7}), "kid is not a string"},

		{"no aud", with(claims{"aud": nil}), "aud is missing"},
		{"another's aud", with(claims{"aud": "https://other.test"}), "is not for"},
		{"an aud that begins like ours", with(claims{"aud": tokentest.Audience + ".evil.test"}), "is not for"},
		{"an aud that ours begins with", with(claims{"aud": tokentest.Audience[:12]}), "is not for"},
		{"an empty list of auds", with(claims{"aud": []string{}}), "aud has 0 values"},
		{"an aud list with a number", with(claims{"aud": []any{tokentest.Audience, 7}}), "not a string"},
		{"an aud object", with(claims{"aud": claims{tokentest.Audience: true}}), "neither a string"},
		{"more auds than anyone needs", with(claims{"aud": strings.Split(strings.Repeat(tokentest.Audience+" ", 17), " ")[:17]}), "aud has 17 values"},
		{"another issuer", with(claims{"iss": "https://evil.test"}), "no issuer"},
		{"our issuer with a slash behind", func(i *tokentest.Issuer) string { return i.Mint(claims{"iss": i.URL + "/"}) }, "no issuer"},
		{"no iss", with(claims{"iss": nil}), "iss is missing"},
		{"ISS instead of iss", func(i *tokentest.Issuer) string { return i.Mint(claims{"iss": nil, "ISS": i.URL}) }, "another spelling"},

		{"an ID token", header(claims{"typ": "JWT"}), "no access token"},
		{"a token without typ", header(claims{"typ": nil}), "no access token"},
		{"a logout token", header(claims{"typ": "logout+jwt"}), "no access token"},
		{"a DPoP proof", header(claims{"typ": "dpop+jwt"}), "no access token"},
		{"a client assertion", header(claims{"typ": "client-authentication+jwt"}), "no access token"},
		{"a transaction token", header(claims{"typ": "txntoken+jwt"}), "no access token"},
		{"a typ that is a number", header(claims{"typ": 1}), "typ is not a string"},

		{"expired beyond the skew", with(claims{"iat": soon(-5 * time.Minute), "exp": soon(-31 * time.Second)}), "expired"},
		{"no exp", with(claims{"exp": nil}), "exp is missing"},
		{"exp as a string", with(claims{"exp": "4102444800"}), "exp is not a time"},
		{"exp as 1e300", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, strings.Replace(string(payloadWithout(i, "exp")), "{", `{"exp":1e300,`, 1))
		}, "exp is not a time"},
		{"a negative exp", with(claims{"exp": -1}), "exp is not a time"},
		{"exp null", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, strings.Replace(string(payloadWithout(i, "exp")), "{", `{"exp":null,`, 1))
		}, "exp is not a time"},
		{"nbf beyond the skew", with(claims{"nbf": soon(40 * time.Second)}), "not good before"},
		{"issued in a year", with(claims{"iat": soon(365 * 24 * time.Hour), "exp": soon(365*24*time.Hour + time.Minute)}), "not good before"},
		{"no iat", with(claims{"iat": nil}), "iat is missing"},
		{"exp before iat", with(claims{"iat": soon(20 * time.Second), "exp": soon(10 * time.Second)}), "before iat"},
		{"a life longer than an hour", with(claims{"exp": soon(2 * time.Hour)}), "longer than 1h"},

		{"no sub", with(claims{"sub": nil}), "sub is missing"},
		{"an empty sub", with(claims{"sub": ""}), "sub is empty"},
		{"a sub with a space behind", with(claims{"sub": "g-7 "}), "white space"},
		{"a sub with a line break", with(claims{"sub": "g\n7"}), "not allowed"},
		{"a sub with a broken escape", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, strings.Replace(string(payloadWithout(i, "sub")), "{", `{"sub":"g\ud800",`, 1))
		}, "not allowed"},
		{"a sub of a kilobyte", with(claims{"sub": strings.Repeat("g", 1000)}), "more than 256"},
		{"no client_id", with(claims{"client_id": nil}), "client_id is missing"},
		{"no jti", with(claims{"jti": nil}), "jti is missing"},
		{"a scope list where a string belongs", with(claims{"scope": []string{"search:read"}}), "scope is not a string"},
		{"a scope with a quote", with(claims{"scope": `a"b`}), "not a scope"},
		{"two spaces between scopes", with(claims{"scope": "a  b"}), "not a scope"},
		{"delegation five deep", with(claims{"act": act(5)}), "nested deeper"},
		{"an act that is a name", with(claims{"act": "gateway"}), "act is not an object"},
		{"an act without sub", with(claims{"act": claims{}}), "act: sub is missing"},
		{"an act that is null", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, strings.Replace(string(payload(i)), "{", `{"act":null,`, 1))
		}, "act is not an object"},
		{"an act with Sub beside sub", with(claims{"act": claims{"sub": "a", "Sub": "b"}}), "another spelling"},
		{"a delegation that comes back", with(claims{"act": claims{"sub": "a", "act": claims{"sub": "b", "act": claims{"sub": "a"}}}}), "twice"},
		{"a may_act that is a name", with(claims{"may_act": "gateway"}), "may_act is not an object"},
		{"a may_act without sub", with(claims{"may_act": claims{"client_id": "gateway"}}), "may_act: sub is missing"},
		{"a may_act of many", with(claims{"may_act": claims{"sub": []string{"a", "b"}}}), "may_act: sub is not a string"},
		{"MAY_ACT beside may_act", with(claims{"may_act": claims{"sub": "a"}, "MAY_ACT": claims{"sub": "b"}}), "another spelling"},
		{"a lineage that is a name", with(claims{"lineage": "grant-1"}), "lineage is not an array"},
		{"a lineage of nobody", with(claims{"lineage": []string{}}), "lineage has 0 values"},
		{"a lineage of nine", with(claims{"lineage": strings.Split("a b c d e f g h i", " ")}), "lineage has 9 values"},
		{"a lineage with a number", with(claims{"lineage": []any{"a", 7}}), "lineage holds something that is not a string"},
		{"a lineage with a line break", with(claims{"lineage": []string{"a\nb"}}), "a value of lineage"},
		{"an auth_time that is a string", with(claims{"auth_time": "0"}), "auth_time is not a time"},
		{"a token bound to a key", with(claims{"cnf": claims{"x5t#S256": "AAAA"}}), "bound to a key"},

		{"sub twice", spliced(`"sub":"admin"`), "name twice"},
		{"sub twice, once escaped", spliced(`"\u0073ub":"admin"`), "name twice"},
		{"SUB beside sub", spliced(`"SUB":"admin"`), "another spelling"},
		{"sub with a long s beside sub", spliced(`"\u017fub":"admin"`), "another spelling"},
		{"a duplicate deep inside", spliced(`"x":{"a":1,"a":2}`), "name twice"},
		{"alg twice in the header", func(i *tokentest.Issuer) string {
			return i.Sign([]byte(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"`+i.Key().KeyID+`"}`), payload(i))
		}, "name twice"},
		{"ALG beside alg in the header", header(claims{"ALG": "none"}), "another spelling"},
		{"a payload that is a list", func(i *tokentest.Issuer) string { return i.MintRaw(nil, `["iss"]`) }, "malformed"},
		{"a payload that is null", func(i *tokentest.Issuer) string { return i.MintRaw(nil, `null`) }, "not an object"},
		{"a payload that is not JSON", func(i *tokentest.Issuer) string { return i.MintRaw(nil, `x`) }, "malformed"},
		{"a payload that is not UTF-8", spliced("\"x\":\"\xff\""), "not UTF-8"},
		{"two payloads one behind the other", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, string(payload(i))+string(payload(i)))
		}, "malformed"},
		{"lists nested four thousand deep", func(i *tokentest.Issuer) string {
			return i.MintRaw(nil, `{"x":`+strings.Repeat("[", 4000)+`}`)
		}, "malformed"},

		{"crit with an unknown name", header(claims{"crit": []string{"exp2"}, "exp2": 1}), "crit"},
		{"an unencoded payload (b64)", header(claims{"b64": false}), "b64"},
		{"a compressed payload (zip)", header(claims{"zip": "DEF"}), "zip"},

		{"one byte over 8 KiB", func(*tokentest.Issuer) string { return strings.Repeat("a", 8193) }, "more than 8192"},
		{"a megabyte", func(i *tokentest.Issuer) string { return i.Mint(claims{"x": strings.Repeat("x", 1<<20)}) }, "more than 8192"},
		{"eight thousand dots", func(*tokentest.Issuer) string { return strings.Repeat(".", 8000) }, "is empty"},
		{"four parts", func(i *tokentest.Issuer) string { return i.Mint(nil) + ".AAAA" }, "outside base64url"},
		{"an encrypted token whose password costs a billion rounds", func(*tokentest.Issuer) string {
			head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAA"}`))
			return head + ".AAAA.AAAA.AAAA.AAAA"
		}, "outside base64url"},
		{"the JSON serialization", func(i *tokentest.Issuer) string {
			p := strings.Split(i.Mint(nil), ".")
			return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
		}, "three parts"},
		{"a line break behind", func(i *tokentest.Issuer) string { return i.Mint(nil) + "\n" }, "outside base64url"},
		{"a line break inside", func(i *tokentest.Issuer) string {
			raw := i.Mint(nil)
			return raw[:len(raw)-8] + "\n" + raw[len(raw)-8:]
		}, "outside base64url"},
		{"a space in front", func(i *tokentest.Issuer) string { return " " + i.Mint(nil) }, "outside base64url"},
		{"padding", func(i *tokentest.Issuer) string { return i.Mint(nil) + "==" }, "outside base64url"},
		{"stray bits at the end", func(i *tokentest.Issuer) string {
			raw := i.Mint(nil) // 64 bytes: the last of 86 characters has four bits to spare
			return raw[:len(raw)-1] + string(raw[len(raw)-1]+1)
		}, "not canonical"},

		{"a signature of another issuer's key", func(i *tokentest.Issuer) string {
			return stranger.MintRaw(claims{"kid": i.Key().KeyID}, payload(i))
		}, "signature is not"},
		{"another payload under a true signature", func(i *tokentest.Issuer) string {
			a, b := strings.Split(i.Mint(nil), "."), strings.Split(i.Mint(claims{"sub": "admin"}), ".")
			return a[0] + "." + b[1] + "." + a[2]
		}, "signature is not"},
		{"a signature of zeros", func(i *tokentest.Issuer) string {
			raw := i.Mint(nil)
			return raw[:strings.LastIndexByte(raw, '.')+1] + strings.Repeat("A", 86)
		}, "signature is not"},
		{"a signature in DER", func(i *tokentest.Issuer) string {
			raw := i.Mint(nil)
			return raw[:strings.LastIndexByte(raw, '.')+1] + base64.RawURLEncoding.EncodeToString([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
		}, "signature is not"},
	}
}

func payloadWithout(i *tokentest.Issuer, name string) []byte {
	return part(i.Mint(claims{name: nil}), 1)
}

func act(depth int) claims {
	a := claims{"sub": "s-0"}
	for n := range depth - 1 {
		a = claims{"sub": "s-" + strconv.Itoa(n+1), "act": a}
	}
	return a
}

func TestNoAttackPasses(t *testing.T) {
	issuer := tokentest.New(t)
	verifier := issuer.Verifier()
	for _, attack := range attacks(tokentest.New(t)) {
		t.Run(attack.name, func(t *testing.T) {
			raw := attack.make(issuer)
			p, err := verifier.Verify(t.Context(), raw, time.Now())
			denial, ok := errors.AsType[*problem.Problem](err)
			if p != nil || !ok || denial.Code != problem.InvalidToken {
				t.Fatalf("the token gave %+v, %v", p, err)
			}
			if !strings.Contains(denial.Cause.Error(), attack.because) {
				t.Errorf("refused because %q, not because of %q", denial.Cause, attack.because)
			}
			if len(raw) > 40 && strings.Contains(err.Error(), raw) {
				t.Error("the error quotes the token")
			}
		})
	}
	if n := issuer.Fetches(); n > 1 {
		t.Errorf("the attacks made %d fetches of the keys", n)
	}
	if _, err := verifier.Verify(t.Context(), issuer.Mint(nil), time.Now()); err != nil {
		t.Errorf("after all attacks a good token is refused: %v", err)
	}
}

func TestWhatIsBadBeforeItsSignatureCostsNoKeys(t *testing.T) {
	for _, attack := range attacks(tokentest.New(t)) {
		switch attack.because {
		case "has no key", "signature is not", "is not that of key":
			continue // these need the keys to be seen
		}
		issuer := tokentest.New(t)
		_, _ = issuer.Verifier().Verify(t.Context(), attack.make(issuer), time.Now())
		if n := issuer.Fetches(); n != 0 {
			t.Errorf("%s: %d fetches", attack.name, n)
		}
	}
}

func TestKeysThatATokenBringsAreNeverAskedFor(t *testing.T) {
	var canary atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) }))
	defer trap.Close()
	issuer, evil := tokentest.New(t), tokentest.New(t)
	verifier := issuer.Verifier()
	for _, field := range []claims{
		{"jku": trap.URL}, {"x5u": trap.URL}, {"jwk": evil.Key()}, {"x5c": []string{"AAAA"}},
	} {
		field["kid"] = issuer.Key().KeyID
		if p, err := verifier.Verify(t.Context(), evil.MintRaw(field, payload(issuer)), time.Now()); err == nil {
			t.Errorf("%v passed as %+v", field, p)
		}
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d connections went where a token said", n)
	}
}

func TestTimesAreForgivenExactlyTheSkew(t *testing.T) {
	issuer := tokentest.New(t)
	verifier := issuer.Verifier()
	at := time.Unix(time.Now().Unix(), 0)
	raw := func(c claims) string {
		c["jti"] = t.Name()
		return issuer.Mint(c)
	}
	for _, c := range []struct {
		name string
		raw  string
		now  time.Time
		good bool
	}{
		{"29 s after exp", raw(claims{"iat": at.Unix() - 60, "exp": at.Unix()}), at.Add(29 * time.Second), true},
		{"30 s after exp", raw(claims{"iat": at.Unix() - 60, "exp": at.Unix()}), at.Add(30 * time.Second), false},
		{"30 s before iat", raw(claims{"iat": at.Unix(), "exp": at.Unix() + 60}), at.Add(-30 * time.Second), true},
		{"31 s before iat", raw(claims{"iat": at.Unix(), "exp": at.Unix() + 60}), at.Add(-31 * time.Second), false},
		{"30 s before nbf", raw(claims{"nbf": at.Unix(), "iat": at.Unix() - 60, "exp": at.Unix() + 60}), at.Add(-30 * time.Second), true},
		{"31 s before nbf", raw(claims{"nbf": at.Unix(), "iat": at.Unix() - 60, "exp": at.Unix() + 60}), at.Add(-31 * time.Second), false},
		{"a life of exactly an hour", raw(claims{"iat": at.Unix(), "exp": at.Unix() + 3600}), at, true},
		{"a second more than an hour", raw(claims{"iat": at.Unix(), "exp": at.Unix() + 3601}), at, false},
		{"fractions of a second", raw(claims{"iat": float64(at.Unix()) + 0.5, "exp": float64(at.Unix()) + 60.5}), at, true},
	} {
		// Twice: the cache must decide as the verification does.
		for round := range 2 {
			if _, err := verifier.Verify(t.Context(), c.raw, c.now); (err == nil) != c.good {
				t.Errorf("%s, round %d: %v", c.name, round, err)
			}
		}
	}
}
