package pipeline

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// CORS is which pages of other origins may use a route and read its answers
// (Fetch standard, section 3.3). It is no guard of the route: only browsers keep
// to it, and only for what pages do. What it grants is named by the policy; no
// byte of a request is echoed but an origin that stands there letter by letter.
type CORS struct {
	place   string
	origins map[string]bool
	any     bool
	headers map[string]string // by lower-case name
	// What answers say; each is the whole value of a field and shared.
	credentials, expose, methods, maxAge []string
}

// CORSConfig is what a policy says.
type CORSConfig struct {
	// Place is where: "routes/notes.yaml:7".
	Place string
	// Origins are compared as they stand; "*" is every one, without credentials.
	Origins []string
	// Headers are the request fields a page may send beyond the safelisted ones,
	// Expose the response fields it may read.
	Headers, Expose []string
	// Methods are the route's.
	Methods     []string
	Credentials bool
	// MaxAge is how long browsers may keep the answer to a preflight.
	MaxAge time.Duration
}

// maxShownOrigin bounds what an error quotes of a request, in bytes.
const maxShownOrigin = 100

// NewCORS compiles it. A wildcard with credentials would let every page on the
// web act as the visitor; "null" is the origin of any sandboxed frame.
func NewCORS(c CORSConfig) (*CORS, error) {
	out := &CORS{
		place: c.Place, origins: map[string]bool{}, headers: map[string]string{},
		methods: []string{strings.Join(c.Methods, ", ")},
		maxAge:  []string{strconv.FormatInt(int64(c.MaxAge/time.Second), 10)},
	}
	for _, origin := range c.Origins {
		switch {
		case origin == "null":
			return nil, errors.New(`cors: the origin "null" is that of any sandboxed frame; it cannot be listed`)
		case origin == "*":
			out.any = true
		default:
			out.origins[origin] = true
		}
	}
	if out.any && c.Credentials {
		return nil, errors.New(`cors: credentials go to listed origins only, not to "*"`)
	}
	for _, name := range c.Headers {
		out.headers[strings.ToLower(name)] = name
	}
	if c.Credentials {
		out.credentials = []string{"true"}
	}
	if len(c.Expose) > 0 {
		out.expose = []string{strings.Join(c.Expose, ", ")}
	}
	return out, nil
}

// Rule is how events name it.
func (c *CORS) Rule() string { return "cors (" + c.place + ")" }

// origin is the value of Access-Control-Allow-Origin for a request, or nil.
func (c *CORS) origin(in http.Header) []string {
	origin := in["Origin"]
	switch {
	case len(origin) != 1:
		return nil
	case c.any:
		return []string{"*"}
	case c.origins[origin[0]]:
		return origin
	}
	return nil
}

// Converses reports whether a page may open a WebSocket. Browsers ask no question
// ahead of one and let every page read it, so that only we can compare the
// origin (RFC 6455 section 10.2). What sends no Origin is no page; a route
// without CORS leaves this to its upstream.
func (c *CORS) Converses(in http.Header) bool {
	return c == nil || len(in["Upgrade"]) == 0 || len(in["Origin"]) == 0 || c.origin(in) != nil
}

// complete gives an answer the fields that let a listed page read it. Vary
// stands there in any case: an answer kept for one origin is not another's.
func (c *CORS) complete(h http.Header, tx *Transaction) {
	vary(h, "Origin")
	if tx.Preflight {
		vary(h, "Access-Control-Request-Method")
		vary(h, "Access-Control-Request-Headers")
		return
	}
	if origin := c.origin(tx.Request.Header); origin != nil {
		c.allow(h, origin)
		if c.expose != nil {
			h["Access-Control-Expose-Headers"] = c.expose
		}
	}
}

func (c *CORS) allow(h http.Header, origin []string) {
	h["Access-Control-Allow-Origin"] = origin
	if c.credentials != nil {
		h["Access-Control-Allow-Credentials"] = c.credentials
	}
}

// Preflight answers in h the question a browser asks ahead of a page's request
// (Fetch standard, section 4.8), or says why the page may not; h is unchanged
// then.
func (c *CORS) Preflight(in, h http.Header) error {
	origin := c.origin(in)
	if origin == nil {
		return fmt.Errorf("the origin %s is not listed", shown(strings.Join(in["Origin"], ", ")))
	}
	var granted []string
	for _, line := range in["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue // RFC 9110 section 5.6.1.2
			}
			spelled, ok := c.headers[strings.ToLower(name)]
			if !ok {
				return fmt.Errorf("the request field %s is not listed", shown(name))
			}
			if !slices.Contains(granted, spelled) {
				granted = append(granted, spelled)
			}
		}
	}
	c.allow(h, origin)
	h["Access-Control-Allow-Methods"] = c.methods
	h["Access-Control-Max-Age"] = c.maxAge
	if granted != nil {
		h["Access-Control-Allow-Headers"] = []string{strings.Join(granted, ", ")}
	}
	return nil
}

func shown(s string) string {
	if len(s) > maxShownOrigin {
		s = s[:maxShownOrigin] + "..."
	}
	return strconv.Quote(s)
}

func isCORS(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

func withoutCORS(h http.Header) {
	for name := range h {
		if isCORS(name) {
			delete(h, name)
		}
	}
}

// vary adds a name to Vary, which others may have filled: a value of its own,
// as the slice that stands there may be shared.
func vary(h http.Header, name string) {
	if values := h["Vary"]; !httpguts.HeaderValuesContainsToken(values, name) {
		h["Vary"] = append(slices.Clip(values), name)
	}
}
