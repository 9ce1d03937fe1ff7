package policy

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// The keys of every kind of mapping stand in the files keys*.go, and nowhere
// else: what is read, what an editor completes and what the reference says
// follow from these tables.

// version is the format this package reads.
const version = 1

// document reads one file. Any mix of its keys is allowed in one file.
func (d *decoder) document(n *yaml.Node) {
	var v Value[int]
	var upstream Value[string]
	first := len(d.doc.Routes)
	d.fields(n, d.fileTable(&v, &upstream))
	if v.Set && v.V != version {
		d.report(v.Pos, CodeVersion, fmt.Sprintf("version %d is not known here", v.V), "", fmt.Sprintf("this program reads version %d", version))
	}
	routes := d.doc.Routes[first:]
	if upstream.Set && len(routes) == 0 {
		d.report(upstream.Pos, CodeNoEffect, "a file's upstream is for its routes, and this file has none", "", "")
	}
	for _, r := range routes {
		if !r.Upstream.Set && r.Redirect == nil {
			r.Upstream = upstream
		}
	}
}

func (d *decoder) fileTable(v *Value[int], upstream *Value[string]) table {
	g, doc := &d.gateway, d.doc
	known := reader{read: number(v).read, schema: func() *schema { return &schema{Const: version} }}
	return table{"a policy file", nil, []field{
		{"version", true, known, "`1`"},
		{"hosts", false, d.inOneFile("hosts", texts(&g.Hosts)), "names served, without port, one spelling each: lower case, no wildcard, IPv6 as `\"::1\"`. Any other Host is 421"},
		{"trusted_proxies", false, d.inOneFile("trusted_proxies", textsOrNone(&g.TrustedProxies)), "networks (`10.0.0.0/8`) whose `X-Forwarded-For` is believed; `[]` for none"},
		{"proxy_protocol", false, d.inOneFile("proxy_protocol", textsOrNone(&g.ProxyProtocol)), "networks of load balancers that begin every connection with a header of the PROXY protocol (version 1 or 2); `[]` for none. The client is who the header says"},
		{"client_certificates", false, d.inOneFile("client_certificates", list(&g.ClientCertificates, clientCertificatesTable)), "who shows a certificate at the TLS handshake"},
		{"redirect_http", false, d.inOneFile("redirect_http", number(&g.RedirectHTTP)), "public port of https: `443`. Whoever asks over plain http is sent there"},
		{"defaults", false, d.inOneFile("defaults", mapping(defaultsTable(&g.Defaults))), "what routes inherit"},
		{"floor", false, d.inOneFile("floor", list(&g.Floor, floorTable)), "what routes may not leave out"},
		{"issuers", false, list(&doc.Issuers, issuerTable), "whose access tokens are accepted"},
		{"upstreams", false, list(&doc.Upstreams, upstreamTable), "where requests go"},
		{"limits", false, list(&doc.Limits, limitTable), "how often someone may ask"},
		{"waf", false, list(&doc.WAF, wafTable), "how requests are inspected"},
		{"upstream", false, text(upstream), "the upstream of this file's routes that name none"},
		{"routes", false, list(&doc.Routes, routeTable), "what may be asked, and by whom"},
		{"clients", false, list(&doc.Clients, clientTable), "who gets which tokens from the token service"},
		{"tests", false, list(&doc.Tests, testTable), "what must come of described requests"},
	}}
}

// inOneFile guards a key that two files must not both set: which of them won
// would depend on their names.
func (d *decoder) inOneFile(key string, r reader) reader {
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		if first, ok := d.once[key]; ok {
			d.report(d.pos(n), CodeDuplicate, fmt.Sprintf("%q stands in two files", key),
				fmt.Sprintf("first in %s", first), "keep it in one file")
			return
		}
		d.once[key] = d.pos(n)
		if d.doc.Gateway == nil {
			d.gateway.Pos = d.pos(n)
			d.doc.Gateway = &d.gateway
		}
		read(d, n)
	}
	return r
}
