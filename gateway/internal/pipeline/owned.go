package pipeline

import "strings"

// Owner tells who may say a request's header field. The table below is the one
// place where that stands: the edge removes by it, the upstream sends by it, and
// trailers, which a backend may merge into the header, go by it too. The zero
// value is the client.
type Owner uint8

const (
	// EndsHere is for fields of the connection: they end at this hop, whether or
	// not Connection lists them (RFC 9110 section 7.6.1).
	EndsHere Owner = 1 << iota
	// Written is for what the edge reads, and what the upstream gets is written
	// anew or not at all.
	Written
	// Claimed is for what only we, or the proxy before us, could say truly: who the
	// client is, where it came from, what it asked first. From outside it can only
	// be a lie, and is removed before anything looks. A policy may set it.
	Claimed
	// Ours is for what the gateway itself says to upstreams, or nobody: claimed
	// from outside, and no policy's to set.
	Ours
)

// OwnedField is a line of the table: a name in canonical form, or the beginning
// of names.
type OwnedField struct {
	Name   string
	Prefix bool
	Owner  Owner
}

// OwnedFields is the table, for those who check it. OwnerOf reads it.
func OwnedFields() []OwnedField {
	var all []OwnedField
	for _, initial := range owners {
		all = append(all, initial...)
	}
	return all
}

// OwnerOf tells who owns a field, by its name in canonical form. A name with
// anything but letters, digits and hyphens is Ours: CGI-like backends read
// X_User as X-User (CVE-2025-64484), and some read X.User so.
func OwnerOf(name string) Owner {
	if !plainName(name) {
		return Claimed | Ours
	}
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return 0
	}
	own := owners[name[0]-'A']
	for i := range own {
		if f := &own[i]; name == f.Name || f.Prefix && strings.HasPrefix(name, f.Name) {
			return f.Owner
		}
	}
	return 0
}

// Owned reports whether only the gateway may say a field: it is removed from what
// comes in.
func Owned(name string) bool { return OwnerOf(name)&Claimed != 0 }

// HopByHop reports whether a field ends at this hop.
func HopByHop(name string) bool { return OwnerOf(name)&EndsHere != 0 }

// plainName accepts letters, digits and hyphens, which every server reads alike.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i] | 0x20; (c < 'a' || c > 'z') && (c < '0' || c > '9') && name[i] != '-' {
			return false
		}
	}
	return true
}

func exactly(owner Owner, names ...string) (fields []OwnedField) {
	for _, name := range names {
		fields = append(fields, OwnedField{Name: name, Owner: owner})
	}
	return fields
}

func beginning(owner Owner, names ...string) (fields []OwnedField) {
	for _, name := range names {
		fields = append(fields, OwnedField{Name: name, Prefix: true, Owner: owner})
	}
	return fields
}

// owners is the table: fields by their initial. Prefixes where more of a kind may come:
// what matters is that no new spelling of "I am the proxy, and this is the user"
// slips through.
var owners = byInitial(
	// What a client tells a proxy is for us, and for nobody behind us to see.
	exactly(EndsHere|Claimed, "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"),
	exactly(EndsHere,
		"Connection", "Keep-Alive",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings"),
	exactly(Written,
		// The credential is the gateway's to verify; the upstream has its own.
		"Authorization",
		// Framing and target follow from what is sent.
		"Content-Length", "Expect", "Host",
		// The trace goes on from where we stand.
		"Traceparent", "Tracestate",
		// By these net/http takes a request for one that may be sent twice.
		"Idempotency-Key", "X-Idempotency-Key"),
	beginning(Claimed|Ours, "Portcullis-", "X-Forwarded"),
	exactly(Claimed|Ours, "Forwarded", "Via", "X-Real-Ip", "X-Request-Id"),
	// Where a request came from, and what it asked first.
	beginning(Claimed, "X-Real-", "X-Client-", "X-Cluster-Client", "X-Original-", "X-Rewrite-", "X-Envoy-", "X-Gateway-", "X-Request-Deadline", "Cf-"),
	exactly(Claimed, "X-Host", "Client-Ip", "True-Client-Ip", "Fastly-Client-Ip", "Front-End-Https", "Remote-Addr", "X-Api-Version-Override"),
	// Who asks, as proxies say it once they have let somebody in; Google's, Amazon's,
	// Azure's, Kong's, Grafana's, WSO2's among them.
	beginning(Claimed, "X-User", "X-Auth", "X-Remote-", "X-Ssl-", "Ssl-", "X-Goog-", "X-Appengine-", "X-Amzn-Oidc-", "X-Ms-", "X-Azure-", "X-Consumer-", "X-Credential-", "X-Webauth-", "X-Jwt-"),
	exactly(Claimed, "From", "Remote-User", "Client-Cert", "Client-Cert-Chain", "X-Principal", "X-Subject"),
	// Another method than the one that was decided on.
	beginning(Claimed, "X-Http-Method", "X-Method-Override"),
	// Fields of proxies for proxies: CGI programs take Proxy for a variable of
	// their environment (CVE-2016-5385).
	beginning(Claimed, "Proxy"),
)

func byInitial(groups ...[]OwnedField) (table [26][]OwnedField) {
	for _, group := range groups {
		for _, f := range group {
			at := f.Name[0] - 'A'
			table[at] = append(table[at], f)
		}
	}
	return table
}
