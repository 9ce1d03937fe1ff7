package policy

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const maxAgeMost = 24 * time.Hour // browsers keep a preflight no longer

// cors checks which pages of other origins may ask.
func (v *validator) cors(c *CORS) {
	if c == nil {
		return
	}
	for _, o := range c.Origins {
		switch why := wrongOrigin(o.V); {
		case o.V == "*" && c.Credentials.V:
			v.report(o.Pos, CodeUnprotected, "any page could ask with its visitor's credentials", "", "name the origins, or leave credentials out")
		case o.V == "*" && len(c.Origins) > 1:
			v.report(o.Pos, CodeNoEffect, `"*" already allows every origin`, "", `write ["*"] alone, or leave it out`)
		case o.V != "*" && why != "":
			v.report(o.Pos, CodeAddress, fmt.Sprintf("%q is not an origin as browsers send it", withoutUser(o.V)), why, "write https://app.hotel.test")
		}
	}
	for _, name := range c.Headers {
		v.fieldName(name.Pos, name.V)
	}
	for _, name := range c.Expose {
		v.fieldName(name.Pos, name.V)
	}
	v.duration(c.MaxAge, time.Second, maxAgeMost)
	if len(c.Origins) == 0 && !v.doc.partial && (len(c.Headers) > 0 || len(c.Expose) > 0 || c.Credentials.Set || c.MaxAge.Set) {
		v.report(c.Pos, CodeNoEffect, "no page may ask, so this has no effect", "", "write cors: {origins: []} alone")
	}
}

// wrongOrigin tells why no browser sends an origin as it stands, or nothing:
// origins are compared byte for byte (RFC 6454 section 6.2).
func wrongOrigin(origin string) string {
	scheme, host, _ := strings.Cut(origin, "://")
	u, err := url.Parse(origin)
	switch {
	case origin == "null":
		return "every sandboxed frame has it"
	case scheme != "https" && scheme != "http":
		return "an origin begins with https://"
	case strings.Contains(host, "*"):
		return "no wildcards: name every origin"
	case err != nil || u.Host != host || u.User != nil || u.Hostname() == "" || strings.HasSuffix(host, ":"):
		return "scheme, host and port only"
	case !isVisible(host) || strings.ToLower(host) != host:
		return "lower case, in ASCII"
	case scheme == "https" && u.Port() == "443" || scheme == "http" && u.Port() == "80":
		return "browsers leave out the port that the scheme has anyway"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return "the port must be from 1 to 65535"
		}
	}
	return ""
}
