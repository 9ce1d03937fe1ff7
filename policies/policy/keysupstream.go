package policy

import "go.yaml.in/yaml/v4"

func upstreamTable(v *Upstream) table {
	return table{"an upstream", &v.Pos, []field{
		{"name", true, text(&v.Name), "as routes call it"},
		{"endpoints", true, places(&v.Endpoints), "URLs: scheme, host and port only"},
		{"credential", true, credential(v), "what it is shown, exactly one of `exchange`, `client` and `none`. Tokens travel over https or on this machine, and the one that came in is never sent"},
		{"protocol", false, word(&v.Protocol, protocols()...), "what it is spoken to in: `h2` (HTTP/2 over TLS, for https) or `h2c` (HTTP/2 without, for http), no other if it offers less; HTTP/1.1 if absent. gRPC needs one of them, see gRPC"},
		{"connect", false, duration(&v.Connect), "for one dial, up to `30s`; default `1s`"},
		{"attempt", false, duration(&v.Attempt), "for one try, up to `5m`; default: the route's timeout"},
		{"breaker", false, mapping(breakerTable(&v.Breaker)), "when an endpoint is left alone"},
	}}
}

func credential(v *Upstream) reader {
	r := mapping(credentialTable(v))
	keys, form := r.read, r.schema
	r.read = func(d *decoder, n *yaml.Node) {
		if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "audience" {
			// What a credential was before tokens were exchanged: whose token it
			// should be now is a choice that only a person can make.
			d.reportf(n.Content[0], CodeUnknownKey, "write {exchange: NAME} to send the caller's token, exchanged, or {client: NAME} to send the gateway's own",
				"a credential no longer has the key %q", "audience")
			return
		}
		keys(d, n)
		if n.Kind == yaml.MappingNode && len(n.Content) != 2 {
			d.reportf(n, CodeShape, "write {exchange: name}, {client: name} or {none: why}", "a credential has exactly one key")
		}
	}
	r.schema = func() *schema {
		s := form()
		s.MinProperties, s.MaxProperties = 1, 1
		return s
	}
	return r
}

func credentialTable(v *Upstream) table {
	return table{"a credential", nil, []field{
		{"exchange", false, text(&v.Exchange), "an audience: the caller's token is exchanged for one for it that names the caller, and the gateway as acting. Its routes must authenticate"},
		{"client", false, text(&v.Client), "an audience: the gateway sends a token of its own for every caller"},
		{"none", false, text(&v.NoCredential), "why it is sent none"},
	}}
}

func breakerTable(v *Breaker) table {
	return table{"a breaker", &v.Pos, []field{
		{"samples", false, number(&v.Samples), "requests within the window before it may open; default 20"},
		{"failures", false, percent(&v.Failures), "share of them that failed; default `50%`"},
		{"window", false, duration(&v.Window), "`1s` to `10m`; default `10s`"},
		{"open", false, duration(&v.Open), "how long it stays open, `100ms` to `10m`; default `5s`"},
	}}
}
