package policy

func clientTable(v *Client) table {
	return table{"a client", &v.Pos, []field{
		{"name", true, text(&v.Name), "the `client_id`"},
		{"grants", true, words(&v.Grants, clientCredentials, authorizationCode, refreshToken, tokenExchange),
			"any of `client_credentials` (a token for itself), `token_exchange` (a token for the subject of one it was sent), `authorization_code` (people sign in, with PKCE), `refresh_token` (a sign-in outlives its first token; beside authorization_code)"},
		{"audiences", true, list(&v.Audiences, audienceTable), "the only audiences it may ask for"},
		{"lifetime", false, duration(&v.Lifetime), "of its tokens, up to `1h`; default `5m`"},
		{"redirects", false, places(&v.Redirects), "where a browser may be sent after a sign-in, compared as they stand: https, or http on `localhost`, `127.0.0.1`, `[::1]`; no fragment, wildcard, user or dot segment; at most 16. `${env:NAME}` is replaced first. Required with authorization_code"},
		{"post_logout", false, places(&v.PostLogout), "the same for after a sign-out"},
		{"keys", false, publicKeys(&v.Keys), "1 to 4 public keys for private_key_jwt, each `|` and below it the PEM that `openssl pkey -in client.key -pubout` prints: P-256, RSA of 2048 bits or more, Ed25519"},
		{"public", false, truth(&v.Public), "`true`: it can keep no secret (a page, an app), and gets authorization_code and refresh_token alone"},
		{"serves", false, texts(&v.Serves), "audiences whose tokens it may look into (introspection) and exchange; default: the one of its own name"},
		{"refresh", false, duration(&v.Refresh), "how long a sign-in lasts, `1m` to `2160h`; default `12h`. With refresh_token"},
	}}
}

func audienceTable(v *Audience) table {
	return table{"an audience", &v.Pos, []field{
		{"name", true, text(&v.Name), "as in `aud`"},
		{"scopes", true, texts(&v.Scopes), "at most these. `openid`, `email` and `offline_access` do not belong here: a client that signs people in may ask for the first two, and the third is the grant refresh_token"},
		{"may_act", false, text(&v.MayAct), "the one client that may exchange these tokens"},
	}}
}
