package policy

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// The keys of every kind of mapping stand in this file, and nowhere else.

// version is the format this package reads.
const version = 1

// document reads one file. Any mix of its keys is allowed in one file.
func (d *decoder) document(n *yaml.Node) {
	var v Value[int]
	var upstream Value[string]
	first := len(d.doc.Routes)
	d.fields(n, "a policy file", d.fileKeys(&v, &upstream))
	if v.Set && v.V != version {
		d.report(v.Pos, CodeVersion, fmt.Sprintf("version %d is not known here", v.V), "", fmt.Sprintf("this program reads version %d", version))
	}
	routes := d.doc.Routes[first:]
	if upstream.Set && len(routes) == 0 {
		d.report(upstream.Pos, CodeNoEffect, "a file's upstream is for its routes, and this file has none", "", "")
	}
	for _, r := range routes {
		if !r.Upstream.Set {
			r.Upstream = upstream
		}
	}
}

func (d *decoder) fileKeys(v *Value[int], upstream *Value[string]) []field {
	doc := d.doc
	return []field{
		{"version", true, number(v)},
		{"hosts", false, d.inOneFile("hosts", func(d *decoder, n *yaml.Node) { texts(&d.gateway(n).Hosts)(d, n) })},
		{"trusted_proxies", false, d.inOneFile("trusted_proxies", func(d *decoder, n *yaml.Node) { textList(&d.gateway(n).TrustedProxies, true)(d, n) })},
		{"defaults", false, d.inOneFile("defaults", func(d *decoder, n *yaml.Node) { d.fields(n, "defaults", defaultKeys(&d.gateway(n).Defaults)) })},
		{"floor", false, d.inOneFile("floor", func(d *decoder, n *yaml.Node) { list(&d.gateway(n).Floor, readFloor)(d, n) })},
		{"issuers", false, list(&doc.Issuers, readIssuer)},
		{"upstreams", false, list(&doc.Upstreams, readUpstream)},
		{"limits", false, list(&doc.Limits, readLimit)},
		{"waf", false, list(&doc.WAF, readWAF)},
		{"upstream", false, text(upstream)},
		{"routes", false, list(&doc.Routes, readRoute)},
		{"clients", false, list(&doc.Clients, readClient)},
	}
}

// gateway is the document's one gateway, made when the first of its keys is read.
func (d *decoder) gateway(n *yaml.Node) *Gateway {
	if d.doc.Gateway == nil {
		d.doc.Gateway = &Gateway{Pos: d.pos(n)}
	}
	return d.doc.Gateway
}

// inOneFile guards a key that two files must not both set: which of them won
// would depend on their names.
func (d *decoder) inOneFile(key string, read reader) reader {
	return func(d *decoder, n *yaml.Node) {
		if first, ok := d.once[key]; ok {
			d.report(d.pos(n), CodeDuplicate, fmt.Sprintf("%q stands in two files", key),
				fmt.Sprintf("first in %s", first), "keep it in one file")
			return
		}
		d.once[key] = d.pos(n)
		read(d, n)
	}
}

func defaultKeys(v *Defaults) []field {
	return []field{
		{"authenticate", false, texts(&v.Authenticate)},
		{"limits", false, texts(&v.Limits)},
		{"waf", false, text(&v.WAF)},
		{"body", false, size(&v.Body)},
		{"timeout", false, duration(&v.Timeout)},
		{"capacity", false, number(&v.Capacity)},
	}
}

func readFloor(d *decoder, n *yaml.Node) *Floor {
	v := &Floor{Pos: d.pos(n)}
	d.fields(n, "a floor", floorKeys(v))
	return v
}

func floorKeys(v *Floor) []field {
	return []field{{"paths", true, text(&v.Paths)}, {"needs", true, texts(&v.Needs)}}
}

func readIssuer(d *decoder, n *yaml.Node) *Issuer {
	v := &Issuer{Pos: d.pos(n)}
	d.fields(n, "an issuer", issuerKeys(v))
	return v
}

func issuerKeys(v *Issuer) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"url", true, place(&v.URL)},
		{"audience", true, text(&v.Audience)},
		{"profile", false, text(&v.Profile)},
		{"algorithms", false, texts(&v.Algorithms)},
		{"jwks", false, place(&v.JWKS)},
		{"client_claim", false, text(&v.ClientClaim)},
		{"scope_claim", false, text(&v.ScopeClaim)},
		{"require", false, claims(&v.Require)},
		{"ca", false, place(&v.CA)},
		{"lifetime", false, duration(&v.Lifetime)},
		{"revocations", false, func(d *decoder, n *yaml.Node) {
			v.Follows, v.Revocations.Pos = true, d.pos(n)
			d.fields(n, "revocations", revocationsKeys(&v.Revocations))
		}},
	}
}

func revocationsKeys(v *Revocations) []field {
	return []field{{"stale", true, duration(&v.Stale)}, {"then", true, text(&v.Then)}}
}

func readUpstream(d *decoder, n *yaml.Node) *Upstream {
	v := &Upstream{Pos: d.pos(n)}
	d.fields(n, "an upstream", upstreamKeys(v))
	return v
}

func upstreamKeys(v *Upstream) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"endpoints", true, places(&v.Endpoints)},
		{"credential", true, func(d *decoder, n *yaml.Node) { d.credential(n, v) }},
		{"connect", false, duration(&v.Connect)},
		{"attempt", false, duration(&v.Attempt)},
		{"breaker", false, func(d *decoder, n *yaml.Node) {
			v.Breaker.Pos = d.pos(n)
			d.fields(n, "a breaker", breakerKeys(&v.Breaker))
		}},
	}
}

func (d *decoder) credential(n *yaml.Node, v *Upstream) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "audience" {
		// What a credential was before tokens were exchanged: whose token it
		// should be now is a choice that only a person can make.
		d.reportf(n.Content[0], CodeUnknownKey, "write {exchange: NAME} to send the caller's token, exchanged, or {client: NAME} to send the gateway's own",
			"a credential no longer has the key %q", "audience")
		return
	}
	d.fields(n, "a credential", credentialKeys(v))
	if n.Kind == yaml.MappingNode && len(n.Content) != 2 {
		d.reportf(n, CodeShape, "write {exchange: name}, {client: name} or {none: why}", "a credential has exactly one key")
	}
}

func credentialKeys(v *Upstream) []field {
	return []field{{"exchange", false, text(&v.Exchange)}, {"client", false, text(&v.Client)}, {"none", false, text(&v.NoCredential)}}
}

func breakerKeys(v *Breaker) []field {
	return []field{
		{"samples", false, number(&v.Samples)},
		{"failures", false, percent(&v.Failures)},
		{"window", false, duration(&v.Window)},
		{"open", false, duration(&v.Open)},
	}
}

func readLimit(d *decoder, n *yaml.Node) *Limit {
	v := &Limit{Pos: d.pos(n)}
	d.fields(n, "a limit", limitKeys(v))
	return v
}

func limitKeys(v *Limit) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"by", true, text(&v.By)},
		{"rate", true, rate(&v.Rate)},
		{"burst", false, number(&v.Burst)},
		{"clients", false, texts(&v.Clients)},
	}
}

func readWAF(d *decoder, n *yaml.Node) *WAFProfile {
	v := &WAFProfile{Pos: d.pos(n)}
	d.fields(n, "a WAF profile", wafKeys(v))
	return v
}

func wafKeys(v *WAFProfile) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"paranoia", false, mapping("paranoia", paranoiaKeys(&v.Paranoia))},
		{"threshold", false, mapping("threshold", thresholdKeys(&v.Threshold))},
		{"inspect", false, mapping("inspect", inspectKeys(&v.Inspect))},
	}
}

func mapping(what string, table []field) reader {
	return func(d *decoder, n *yaml.Node) { d.fields(n, what, table) }
}

func paranoiaKeys(v *Paranoia) []field {
	return []field{{"blocking", false, number(&v.Blocking)}, {"detection", false, number(&v.Detection)}}
}

func thresholdKeys(v *Threshold) []field {
	return []field{{"inbound", false, number(&v.Inbound)}, {"outbound", false, number(&v.Outbound)}}
}

func inspectKeys(v *Inspect) []field {
	return []field{
		{"args", false, number(&v.Args)},
		{"depth", false, number(&v.Depth)},
		{"body", false, size(&v.Body)},
	}
}

func readRoute(d *decoder, n *yaml.Node) *Route {
	v := &Route{Pos: d.pos(n)}
	d.fields(n, "a route", routeKeys(v))
	return v
}

func routeKeys(v *Route) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"match", true, text(&v.Match)},
		{"upstream", false, text(&v.Upstream)},
		{"authenticate", false, either(&v.NoAuthenticate, texts(&v.Authenticate))},
		{"allow", false, list(&v.Allow, readRule)},
		{"deny", false, list(&v.Deny, readRule)},
		{"limits", false, either(&v.NoLimits, texts(&v.Limits))},
		{"waf", false, either(&v.NoWAF, text(&v.WAF))},
		{"body", false, size(&v.Body)},
		{"timeout", false, duration(&v.Timeout)},
		{"capacity", false, number(&v.Capacity)},
		{"websocket", false, truth(&v.WebSocket)},
		{"log", false, texts(&v.Log)},
	}
}

func readRule(d *decoder, n *yaml.Node) *Rule {
	v := &Rule{Pos: d.pos(n)}
	d.fields(n, "a rule", ruleKeys(v))
	return v
}

func ruleKeys(v *Rule) []field {
	return []field{
		{"scopes", false, texts(&v.Scopes)},
		{"owner", false, text(&v.Owner)},
		{"clients", false, texts(&v.Clients)},
		{"anyone", false, truth(&v.Anyone)},
		{"reason", false, text(&v.Reason)},
	}
}

func readClient(d *decoder, n *yaml.Node) *Client {
	v := &Client{Pos: d.pos(n)}
	d.fields(n, "a client", clientKeys(v))
	return v
}

func clientKeys(v *Client) []field {
	return []field{
		{"name", true, text(&v.Name)},
		{"grants", true, texts(&v.Grants)},
		{"audiences", true, list(&v.Audiences, readAudience)},
		{"lifetime", false, duration(&v.Lifetime)},
		{"redirects", false, texts(&v.Redirects)},
		{"post_logout", false, texts(&v.PostLogout)},
		{"keys", false, publicKeys(&v.Keys)},
		{"public", false, truth(&v.Public)},
		{"serves", false, texts(&v.Serves)},
		{"refresh", false, duration(&v.Refresh)},
	}
}

func readAudience(d *decoder, n *yaml.Node) *Audience {
	v := &Audience{Pos: d.pos(n)}
	d.fields(n, "an audience", audienceKeys(v))
	return v
}

func audienceKeys(v *Audience) []field {
	return []field{{"name", true, text(&v.Name)}, {"scopes", true, texts(&v.Scopes)}, {"may_act", false, text(&v.MayAct)}}
}
