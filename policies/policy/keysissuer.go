package policy

import "go.yaml.in/yaml/v4"

func issuerTable(v *Issuer) table {
	revocations := mapping(revocationsTable(&v.Revocations))
	read := revocations.read
	revocations.read = func(d *decoder, n *yaml.Node) {
		v.Follows = true
		read(d, n)
	}
	introspection := mapping(introspectionTable(&v.Introspection))
	ask := introspection.read
	introspection.read = func(d *decoder, n *yaml.Node) {
		v.Introspects = true
		ask(d, n)
	}
	return table{"an issuer", &v.Pos, []field{
		{"name", true, text(&v.Name), "as routes call it"},
		{"url", true, place(&v.URL), "exactly the token's `iss`; https, or http on this machine"},
		{"audience", true, text(&v.Audience), "what the token's `aud` must contain"},
		{"profile", false, word(&v.Profile, "rfc9068", "jwt"), "`rfc9068` (default: `typ` is at+jwt) or `jwt` for issuers that do not speak it"},
		{"algorithms", false, words(&v.Algorithms, "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"),
			"default `[ES256, RS256]`; also ES384, ES512, RS384, RS512, PS256, PS384, PS512, EdDSA"},
		{"jwks", false, place(&v.JWKS), "URL of the keys; found by discovery if absent"},
		{"client_claim", false, text(&v.ClientClaim), "profile jwt: the claim that holds the client; default `azp`"},
		{"scope_claim", false, text(&v.ScopeClaim), "profile jwt: the claim that holds the scopes; default `scope`"},
		{"require", false, claims(&v.Require), "profile jwt, and required there: claims that must have exactly this value, such as `{typ: Bearer}`. It is what keeps ID tokens out"},
		{"claims", false, claimTypes(&v.Claims), "further claims that rules may ask for, each with its type: `{tenant: text, groups: texts, level: number, staff: truth}`. A name has the same type at every issuer"},
		{"ca", false, place(&v.CA), "file of PEM certificates trusted for this issuer besides the system's; a path from where the gateway was started"},
		{"lifetime", false, duration(&v.Lifetime), "longest `exp` - `iat` accepted, up to `24h`; default `1h`"},
		{"revocations", false, revocations, "only for the token service that gives the gateway its own tokens: what it has revoked is refused within a second. Without the key none are followed, and a revoked token passes until it expires"},
		{"introspection", false, introspection, "asks the issuer about tokens that are no JWT (RFC 7662); without the key they are refused. A route may accept tokens of one such issuer"},
	}}
}

func introspectionTable(v *Introspection) table {
	return table{"introspection", &v.Pos, []field{
		{"client", true, text(&v.Client), "the gateway's client id there"},
		{"secret", false, secretFile(&v.Secret), "its secret: `${file:/run/secrets/NAME}`; exactly one of `secret` and `key`"},
		{"key", false, place(&v.Key), "file of its private key in PEM, for `private_key_jwt`; a path from where the gateway was started"},
		{"endpoint", false, place(&v.Endpoint), "URL of the introspection endpoint; found by discovery if absent"},
		{"tokens", false, word(&v.Tokens, "opaque", "all"), "`opaque` (default: JWTs are verified here alone) or `all`: JWTs too, once they are verified, for an issuer without `revocations`"},
		{"cache", false, duration(&v.Cache), "how long the answer that a token is active is believed, `1s` to `1m`, never beyond its end; default `30s`. A revoked token passes for as long"},
	}}
}

func revocationsTable(v *Revocations) table {
	return table{"revocations", &v.Pos, []field{
		{"stale", true, duration(&v.Stale), "how long it may go unheard, `5s` to `1h`"},
		{"then", true, word(&v.Then, "deny", "allow"), "its tokens get 503 (`deny`) or pass unchecked (`allow`)"},
	}}
}
