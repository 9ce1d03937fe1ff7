package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxAssertion is how far ahead an assertion may expire: its id has to be
	// remembered for that long.
	maxAssertion = 5 * time.Minute
	// maxClientKeys bounds the keys tried for an assertion that names none.
	maxClientKeys = 8
)

// Assertion is a client's proof of who it is (RFC 7523), checked.
type Assertion struct {
	Client string
	// ID is the jti. It is good once: whoever accepts the assertion must
	// remember the id until Expires and refuse it meanwhile.
	ID string
	// Expires is when the assertion is refused for its age alone: exp and the
	// skew that clocks are forgiven.
	Expires time.Time
}

// AssertionClient says who an assertion claims to come from, so that its keys
// can be found. Nothing is believed yet.
func AssertionClient(raw string) (string, error) {
	_, claims, err := openAssertion(raw)
	if err != nil {
		return "", err
	}
	return claims.assertionClient()
}

// CheckAssertion checks an assertion of client for issuer, ourselves, against
// the client's keys. That it is used for the first time is for the caller to
// make sure.
func CheckAssertion(raw, client, issuer string, keys []PublicKey, now time.Time) (Assertion, error) {
	e, claims, err := openAssertion(raw)
	if err != nil {
		return Assertion{}, err
	}
	a := Assertion{}
	if a.Client, err = claims.assertionClient(); err != nil {
		return Assertion{}, err
	}
	if a.Client != client {
		return Assertion{}, fmt.Errorf("the assertion is of client %q, not of %q", a.Client, client)
	}
	// One string, the issuer's: an assertion for several, or for an endpoint's
	// URL, could be made for another token service and replayed here.
	if aud, ok := claims["aud"].(string); !ok || aud != issuer {
		return Assertion{}, fmt.Errorf("the assertion's aud is not the one string %q", issuer)
	}
	if a.ID, err = claims.text("jti"); err != nil {
		return Assertion{}, err
	}
	if a.Expires, err = claims.assertionTimes(now); err != nil {
		return Assertion{}, err
	}
	if err := e.signedBy(raw, keys); err != nil {
		return Assertion{}, err
	}
	return a, nil
}

func openAssertion(raw string) (envelope, members, error) {
	e, err := open(raw)
	if err != nil {
		return envelope{}, nil, err
	}
	if !e.is("", "jwt", assertionType) {
		return envelope{}, nil, fmt.Errorf("typ %q is no client's assertion", e.typ)
	}
	claims, err := object(e.payload, "iss", "sub", "aud", "exp", "nbf", "iat", "jti")
	if err != nil {
		return envelope{}, nil, fmt.Errorf("the assertion's claims: %w", err)
	}
	return e, claims, nil
}

// assertionClient is iss and sub, which are the same (RFC 7523 3).
func (m members) assertionClient() (string, error) {
	iss, err := m.text("iss")
	if err != nil {
		return "", err
	}
	if sub, err := m.text("sub"); err != nil || sub != iss {
		return "", fmt.Errorf("the assertion's sub is not its iss, %q", iss)
	}
	return iss, nil
}

func (m members) assertionTimes(now time.Time) (expires time.Time, err error) {
	exp, present, err := m.when("exp")
	switch {
	case err != nil:
		return expires, err
	case !present:
		return expires, errors.New("exp is missing")
	case !now.Before(exp.Add(Skew)):
		return expires, errors.New("the assertion has expired")
	case exp.Sub(now) > maxAssertion+Skew:
		return expires, fmt.Errorf("the assertion lives longer than %s from now", maxAssertion)
	}
	for _, name := range [...]string{"iat", "nbf"} {
		from, present, err := m.when(name)
		if err != nil {
			return expires, err
		}
		if present && now.Before(from.Add(-Skew)) {
			return expires, fmt.Errorf("%s is in the future", name)
		}
	}
	return exp.Add(Skew), nil
}

// signedBy finds the key that signed. The kid is a hint: clients that know
// nothing of thumbprints name their keys as they like.
func (e envelope) signedBy(raw string, keys []PublicKey) error {
	if len(keys) > maxClientKeys {
		return fmt.Errorf("the client has %d keys, more than %d", len(keys), maxClientKeys)
	}
	if i := slices.IndexFunc(keys, func(k PublicKey) bool { return k.id == e.kid }); i >= 0 {
		keys = keys[i : i+1]
	}
	for _, key := range keys {
		alg := jose.SignatureAlgorithm(e.alg)
		if !slices.Contains(key.algs, alg) {
			continue
		}
		if checkSignature(raw, e, verifyKey{alg, key.public}) == nil {
			return nil
		}
	}
	return fmt.Errorf("no key of the client has signed the assertion with alg %q", e.alg)
}
