package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Line is one line of a route as it is in force: YAML, and where it was written.
type Line struct {
	Depth int    `json:"depth"`
	Text  string `json:"text"`
	// Place is file:line; "default" for what nobody wrote.
	Place string `json:"place"`
}

// Show is a route with everything it inherits and refers to, line by line.
func (d *Document) Show(r *Route) []Line {
	s := &shower{doc: d}
	e := d.Effective(r)
	s.text(0, "name", r.Name)
	s.texts(0, "hosts", r.Hosts)
	s.text(0, "match", r.Match)
	if r.Redirect != nil {
		s.line(0, r.Redirect.Pos, "redirect: {to: %s, status: %d}", scalarText(r.Redirect.To.V), r.Redirect.Status.Or(DefaultRedirect))
	}
	s.upstream(e.Upstream)
	s.issuers(r, e)
	s.rules("allow", r.Allow)
	s.rules("deny", r.Deny)
	s.limits(r, e)
	s.profiles(r, e)
	if v := r.Validate; v != nil {
		s.line(0, v.Pos, "validate: {schema: %s%s}", scalarText(v.Schema.V), shadowed(v.Mode))
	}
	s.value(0, e.Body.Pos, e.Body.Set, "body: "+FormatSize(e.Body.V))
	s.value(0, e.Timeout.Pos, e.Timeout.Set, "timeout: "+FormatDuration(e.Timeout.V))
	s.value(0, e.Capacity.Pos, e.Capacity.Set, "capacity: "+strconv.Itoa(e.Capacity.V))
	if r.WebSocket.Set {
		s.line(0, r.WebSocket.Pos, "websocket: %t", r.WebSocket.V)
	}
	if r.EncodedSlash.Set {
		s.line(0, r.EncodedSlash.Pos, "encoded_slash: %t", r.EncodedSlash.V)
	}
	if r.Compress.Set {
		s.line(0, r.Compress.Pos, "compress: %t", r.Compress.V)
	}
	s.texts(0, "compress", r.CompressTypes)
	s.cors(e.CORS)
	s.request(r.Request)
	s.fields(0, "response", e.Response)
	s.texts(0, "log", r.Log)
	return s.lines
}

type shower struct {
	doc   *Document
	lines []Line
}

func (s *shower) line(depth int, at Pos, format string, args ...any) {
	s.value(depth, at, true, fmt.Sprintf(format, args...))
}

func (s *shower) value(depth int, at Pos, written bool, text string) {
	place := "default"
	if written {
		place = fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	s.lines = append(s.lines, Line{depth, text, place})
}

func (s *shower) text(depth int, key string, v Value[string]) {
	if v.Set {
		s.line(depth, v.Pos, "%s: %s", key, scalarText(v.V))
	}
}

func (s *shower) texts(depth int, key string, vs []Value[string]) {
	if len(vs) > 0 {
		s.line(depth, vs[0].Pos, "%s: %s", key, inline(vs))
	}
}

// upstream tells where requests go and what they carry.
func (s *shower) upstream(name Value[string]) {
	s.text(0, "upstream", name)
	i := slices.IndexFunc(s.doc.Upstreams, func(u *Upstream) bool { return name.Set && u.Name.V == name.V })
	if i < 0 {
		return
	}
	u := s.doc.Upstreams[i]
	s.texts(1, "endpoints", u.Endpoints)
	s.text(1, "protocol", u.Protocol)
	for kind, v := range map[string]Value[string]{"exchange": u.Exchange, "client": u.Client, "none": u.NoCredential} {
		if v.Set { // exactly one is
			s.line(1, v.Pos, "credential: {%s: %s}", kind, scalarText(v.V))
		}
	}
}

// none shows why a route has none of something, and tells whether it has none.
func (s *shower) none(key string, why Value[string]) bool {
	if why.Set {
		s.line(0, why.Pos, "%s: {none: %s}", key, scalarText(why.V))
	}
	return why.Set
}

// heading shows a line that stands nowhere: what is below it may come from several
// files.
func (s *shower) heading(text string) {
	s.value(0, Pos{}, false, text)
	s.lines[len(s.lines)-1].Place = ""
}

func (s *shower) issuers(r *Route, e Effective) {
	if s.none("authenticate", r.NoAuthenticate) {
		return
	}
	s.heading("authenticate:")
	for _, name := range e.Authenticate {
		s.line(1, name.Pos, "- %s", scalarText(name.V))
		i := slices.IndexFunc(s.doc.Issuers, func(i *Issuer) bool { return i.Name.V == name.V })
		if i >= 0 {
			p := s.doc.Issuers[i]
			s.text(2, "url", p.URL)
			s.text(2, "audience", p.Audience)
			s.value(2, p.Profile.Pos, p.Profile.Set, "profile: "+p.Profile.Or(DefaultProfile))
			s.value(2, p.Lifetime.Pos, p.Lifetime.Set, "lifetime: "+FormatDuration(p.Lifetime.Or(DefaultLifetime)))
			if q := p.Introspection; p.Introspects {
				s.value(2, q.Pos, true, fmt.Sprintf("introspection: {tokens: %s, cache: %s}", q.Tokens.Or(DefaultIntrospected), FormatDuration(q.Cache.Or(DefaultBelief))))
			}
		}
	}
}

func (s *shower) rules(key string, rules []*Rule) {
	for i, r := range rules {
		var parts []string
		add := func(key, value string, set bool) {
			if set {
				parts = append(parts, key+": "+value)
			}
		}
		add("name", scalarText(r.Name.V), r.Name.Set)
		add("scopes", inline(r.Scopes), len(r.Scopes) > 0)
		for _, c := range r.Claims {
			add("claims."+c.Name, inline(c.Values), true)
		}
		add("owner", scalarText(r.Owner.V), r.Owner.Set)
		add("clients", inline(r.Clients), len(r.Clients) > 0)
		add("methods", inline(r.Methods), len(r.Methods) > 0)
		add("networks", inline(r.Networks), len(r.Networks) > 0)
		for _, h := range r.Hours {
			add("hours", h.Text, true)
		}
		add("when", strconv.Quote(strings.Join(strings.Fields(r.When.V), " ")), r.When.Set)
		add("anyone", "true", r.Anyone.V)
		add("reason", scalarText(r.Reason.V), r.Reason.Set)
		add("mode", "shadow", r.watches())
		s.line(0, r.Pos, "%s[%d]: {%s}", key, i, strings.Join(parts, ", "))
	}
}

func (s *shower) limits(r *Route, e Effective) {
	if s.none("limits", r.NoLimits) {
		return
	}
	s.heading("limits:")
	for _, name := range e.Limits {
		s.line(1, name.Pos, "- %s", scalarText(name.V))
		i := slices.IndexFunc(s.doc.Limits, func(l *Limit) bool { return l.Name.V == name.V })
		if i < 0 {
			continue
		}
		l := s.doc.Limits[i]
		only := ""
		if len(l.Clients) > 0 {
			only = ", clients: " + inline(l.Clients)
		}
		s.line(2, l.Pos, "by: %s, rate: %d/%s, burst: %d%s%s", l.By.V, l.Rate.V.Count, FormatDuration(l.Rate.V.Per), l.Burst.Or(l.Rate.V.Count), only, shadowed(l.Mode))
	}
}

func (s *shower) profiles(r *Route, e Effective) {
	if s.none("waf", r.NoWAF) {
		return
	}
	for _, name := range e.WAF {
		s.line(0, name.Pos, "waf: %s", scalarText(name.V))
		i := slices.IndexFunc(s.doc.WAF, func(p *WAFProfile) bool { return p.Name.V == name.V })
		if i < 0 {
			continue
		}
		p := s.doc.WAF[i]
		blocking := p.Paranoia.Blocking.Or(DefaultParanoia)
		number := func(key string, v Value[int], otherwise int) {
			s.value(1, v.Pos, v.Set, fmt.Sprintf("%s: %d", key, v.Or(otherwise)))
		}
		number("paranoia.blocking", p.Paranoia.Blocking, DefaultParanoia)
		number("paranoia.detection", p.Paranoia.Detection, blocking)
		number("threshold.inbound", p.Threshold.Inbound, DefaultInbound)
		number("threshold.outbound", p.Threshold.Outbound, DefaultOutbound)
		number("inspect.args", p.Inspect.Args, DefaultArgs)
		number("inspect.depth", p.Inspect.Depth, DefaultDepth)
		s.value(1, p.Inspect.Body.Pos, p.Inspect.Body.Set, "inspect.body: "+FormatSize(p.Inspect.Body.Or(DefaultInspectBody)))
		s.formats(p)
		s.value(1, p.Inspect.Cost.Pos, p.Inspect.Cost.Set, "inspect.cost: "+FormatDuration(p.Inspect.Cost.Or(DefaultCost)))
		s.value(1, p.Inspect.Over.Pos, p.Inspect.Over.Set, "inspect.over: "+p.Inspect.Over.Or(DefaultOver))
		if a := p.Responses; a != nil {
			s.line(1, a.Pos, "responses: {types: %s, body: %s}", inline(a.Types), FormatSize(a.Body.Or(DefaultResponseBody)))
		}
		s.text(1, "mode", p.Mode)
		s.value(1, p.Proof.Pos, p.Proof.Set, "proof: "+p.Proof.Or("on"))
		for _, x := range p.Patches {
			s.line(1, x.Pos, "patch: %s, owner: %s, until: %s, reason: %s", x.File.V, scalarText(x.Owner.V), lastDay(x.Expires.V), scalarText(x.Reason.V))
		}
		for _, x := range p.Exclusions {
			s.line(1, x.Pos, "exclusion: %v of %s, owner: %s, until: %s, reason: %s", Values(x.Rules), x.Target.V, scalarText(x.Owner.V), lastDay(x.Expires.V), scalarText(x.Reason.V))
		}
	}
}

// formats are the kinds of bodies that a WAF profile takes.
func (s *shower) formats(p *WAFProfile) {
	pos := p.Pos
	if len(p.Inspect.Formats) > 0 {
		pos = p.Inspect.Formats[0].Pos
	}
	s.value(1, pos, len(p.Inspect.Formats) > 0, "inspect.formats: ["+strings.Join(p.Inspect.Taken(), ", ")+"]")
}

// lastDay is the day whose end an exemption's expiry is.
func lastDay(expires time.Time) string { return expires.AddDate(0, 0, -1).Format(time.DateOnly) }

func (s *shower) cors(c *CORS) {
	if c == nil {
		return
	}
	s.line(0, c.Pos, "cors: {origins: %s, headers: %s, expose: %s, credentials: %t, max_age: %s}",
		inline(c.Origins), inline(c.Headers), inline(c.Expose), c.Credentials.V, FormatDuration(c.MaxAge.Or(DefaultMaxAge)))
}

func (s *shower) request(r *Rewrite) {
	if r == nil {
		return
	}
	s.text(0, "request: strip_prefix", r.StripPrefix)
	s.text(0, "request: path", r.Path)
	s.fields(0, "request", r.Fields)
}

func (s *shower) fields(depth int, key string, f Fields) {
	for _, set := range f.Set {
		s.line(depth, set.Pos, "%s: set %s: %s", key, set.Name, scalarText(set.Value.V))
	}
	for _, name := range f.Remove {
		s.line(depth, name.Pos, "%s: remove %s", key, name.V)
	}
}

func shadowed(mode Value[string]) string {
	if mode.V == shadow {
		return ", mode: shadow"
	}
	return ""
}

func inline(vs []Value[string]) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = scalarText(v.V)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// scalarText quotes what would not read as one plain text.
func scalarText(s string) string {
	if s == "" || strings.ContainsAny(s, ",{}[]#&*!|>'\"%@`") || strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.TrimSpace(s) != s {
		return strconv.Quote(clean(s))
	}
	return clean(s)
}

// RouteNamed is the route of a name; the error says which names come near.
func (d *Document) RouteNamed(name string) (*Route, error) {
	known := make([]string, len(d.Routes))
	for i, r := range d.Routes {
		if known[i] = r.Name.V; known[i] == name {
			return r, nil
		}
	}
	if near := didYouMean(name, known); near != "" {
		return nil, fmt.Errorf("there is no route named %q: %s", name, near)
	}
	return nil, fmt.Errorf("there is no route named %q; there are %s", name, strings.Join(known[:min(len(known), 20)], ", "))
}
