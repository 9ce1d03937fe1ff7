package trial

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/policies/policy"
)

// Members of as that are no claims, or are claims told in another way.
const (
	memberIssuer    = "iss"       // the name of an issuer of the policies; another stands as it is
	memberClient    = "client_id" // whatever claim the issuer's profile has for it
	memberScope     = "scope"
	memberAlgorithm = "alg" // of the signature; default: the issuer's first
)

// someone is whose token it is that names no subject or client.
const someone = "someone"

// tokenLife is how long a token lives whose description does not say, if its
// issuer's lifetime allows as much; after tokenFresh a test gets another.
const tokenLife, tokenFresh = 5 * time.Minute, time.Minute

// sign makes the token that as describes, for the nth request of a test.
func (t *Trial) sign(as map[string]any, route *policy.Route, now time.Time, n int) (string, error) {
	issuer, name := t.issuer(as, route)
	claims := map[string]any{}
	algorithm, typ := "ES256", "at+jwt"
	client, scope := memberClient, memberScope
	claims["iss"], claims["sub"], claims["jti"] = name, someone, "trial"
	life := tokenLife
	if issuer != nil {
		claims["iss"], claims["aud"] = issuer.URL.V, issuer.Audience.V
		life = min(life, issuer.Lifetime.Or(life))
		if len(issuer.Algorithms) > 0 {
			algorithm = issuer.Algorithms[0].V
		}
		if issuer.Profile.V == token.JWT {
			typ, client, scope = "JWT", issuer.ClientClaim.Or(policy.DefaultClientClaim), issuer.ScopeClaim.Or(policy.DefaultScopeClaim)
		}
		for _, required := range issuer.Require {
			claims[required.Name] = required.Value.V
		}
	}
	claims[client] = someone
	claims["iat"], claims["exp"] = now.Unix(), now.Add(life).Unix()
	for _, member := range slices.Sorted(maps.Keys(as)) {
		value := numbered(as[member], n)
		switch member {
		case memberIssuer:
			continue
		case memberAlgorithm:
			algorithm = fmt.Sprint(value)
			continue
		case memberClient:
			member = client
		case memberScope:
			member = scope
		case "exp", "iat", "nbf", "auth_time":
			var err error
			if value, err = moment(value, now); err != nil {
				return "", fmt.Errorf("%s: %w", member, err)
			}
		}
		if value == nil {
			delete(claims, member)
		} else {
			claims[member] = value
		}
	}
	return t.keys.sign(name, algorithm, typ, claims)
}

// resign signs the claims of a token that somebody has as its issuer would; one
// that cannot be read stays as it is.
func (t *Trial) resign(have *Token) (string, error) {
	if have.Claims == nil {
		return have.raw, nil
	}
	_, name := t.issuer(have.Claims, nil)
	return t.keys.sign(name, have.Algorithm, have.Type, have.Claims)
}

// issuer is the one that as names, or the first whose tokens the route takes;
// nil, with the name as it stands in the token, for one nobody knows.
func (t *Trial) issuer(as map[string]any, route *policy.Route) (*policy.Issuer, string) {
	name, named := as[memberIssuer].(string)
	if !named {
		if route != nil {
			if accepted := t.doc.Effective(route).Authenticate; len(accepted) > 0 {
				name, named = accepted[0].V, true
			}
		}
		if !named && len(t.doc.Issuers) > 0 {
			name = t.doc.Issuers[0].Name.V
		}
	}
	for _, i := range t.doc.Issuers {
		if i.Name.V == name || i.URL.V == name {
			return i, i.Name.V
		}
	}
	return nil, name
}

// moment turns a duration from now into a NumericDate; anything else stands as
// it is.
func moment(value any, now time.Time) (any, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration from now, such as -1m", text)
	}
	return now.Add(d).Unix(), nil
}

// ages reports whether the description is about the age of the token: then all
// requests of a test carry the same one.
func ages(as map[string]any) bool {
	_, exp := as["exp"]
	_, iat := as["iat"]
	_, nbf := as["nbf"]
	return exp || iat || nbf
}

// numberOf stands in a claim for the number of the request, from 1: a test can
// so be asked by many.
const numberOf = "{n}"

func numbered(value any, n int) any {
	if text, ok := value.(string); ok {
		return strings.ReplaceAll(text, numberOf, strconv.Itoa(n))
	}
	return value
}

// changes reports whether every request of a test needs a token of its own.
func changes(as map[string]any) bool {
	for _, value := range as {
		if text, ok := value.(string); ok && strings.Contains(text, numberOf) {
			return true
		}
	}
	return false
}
