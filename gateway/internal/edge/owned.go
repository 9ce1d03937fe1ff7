package edge

import (
	"net/http"
	"net/textproto"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// maxFields bounds the header fields of a request, each line counted: every
// stage walks them, and thousands of one name fit into the bytes allowed.
const maxFields = 100

// removeOwned counts the fields, and deletes every field that the gateway sets or that a service
// might trust: who the client is, where it came from, what it asked first.
// From outside they can only be lies. Names with an underscore go too: CGI-like
// backends read X_User as X-User (CVE-2025-64484), and some read X.User so.
func removeOwned(h http.Header) (fields int) {
	for name, values := range h {
		fields += len(values)
		if owned(name) {
			delete(h, name)
		}
	}
	return fields
}

// removeNamed deletes the fields that Connection says end here (RFC 9110 section
// 7.6.1). No upstream gets them: a rule that let a request pass for one, or a
// schema that took its Content-Type for JSON, would have judged another request.
func removeNamed(h http.Header) {
	for _, line := range h["Connection"] {
		if line == "keep-alive" || line == "close" {
			continue // as it mostly is
		}
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)); !pipeline.HopByHop(name) {
				delete(h, name)
			}
		}
	}
}

func owned(name string) bool {
	if !plainName(name) {
		return true
	}
	switch name[0] {
	case 'X':
		return ownedX(name)
	case 'P':
		return strings.HasPrefix(name, "Portcullis-") || strings.HasPrefix(name, "Proxy")
	case 'F':
		return name == "Forwarded" || name == "From" || name == "Front-End-Https" || name == "Fastly-Client-Ip"
	case 'T':
		return name == "True-Client-Ip"
	case 'C':
		return name == "Client-Ip" || name == "Client-Cert" || name == "Client-Cert-Chain" || strings.HasPrefix(name, "Cf-")
	case 'R':
		return name == "Remote-User" || name == "Remote-Addr"
	case 'S':
		return strings.HasPrefix(name, "Ssl-")
	case 'V':
		return name == "Via"
	}
	return false
}

// plainName accepts letters, digits and hyphens, which every server reads alike.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i] | 0x20; (c < 'a' || c > 'z') && (c < '0' || c > '9') && name[i] != '-' {
			return false
		}
	}
	return true
}

// ownedX judges the X- names. Prefixes, not a list: what matters is that no new
// spelling of "I am the proxy, and this is the user" slips through.
func ownedX(name string) bool {
	for _, prefix := range [...]string{
		"X-Forwarded", "X-Real-", "X-Client-", "X-Cluster-Client", "X-Original-", "X-Rewrite-", "X-Envoy-",
		"X-User", "X-Auth", "X-Remote-", "X-Authenticated-", "X-Ssl-", "X-Http-Method", "X-Method-Override", "X-Request-Id", "X-Request-Deadline", "X-Gateway-",
		// What proxies of others say of whom they let in: Google, Amazon, Azure, Kong, Grafana, WSO2.
		"X-Goog-", "X-Appengine-", "X-Amzn-Oidc-", "X-Ms-", "X-Azure-", "X-Consumer-", "X-Credential-", "X-Webauth-", "X-Jwt-",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "X-Host" || name == "X-Api-Version-Override" || name == "X-Principal" || name == "X-Subject"
}
