package diff_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"portcullis/gateway/internal/diff"
	"portcullis/policies/policy"
)

// The property of the whole package: what was refused and is let in now has
// been reported. Requests are judged here as the gateway does, one by one and
// with CEL itself, by code that shares nothing with what is tested.
func TestWhoeverGetsInThatDidNotHasBeenReported(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(*rapid.T) (old, now *policy.Document){
		"after any edit": func(t *rapid.T) (old, now *policy.Document) {
			old = drawDocument(t)
			return old, edit(t, old)
		},
		"after the edit of a condition of an allow rule": func(t *rapid.T) (old, now *policy.Document) {
			route := &policy.Route{Match: set("GET /{a}/{b}")}
			return single(route, drawWhen(t, route, 2), ""), single(route, drawWhen(t, route, 2), "")
		},
		"after the edit of a condition of a deny rule": func(t *rapid.T) (old, now *policy.Document) {
			route := &policy.Route{Match: set("GET /{a}/{b}")}
			return single(route, "true", drawWhen(t, route, 2)), single(route, "true", drawWhen(t, route, 2))
		},
		"after a claim is asked for in other words": func(t *rapid.T) (old, now *policy.Document) {
			draw := func() *policy.Document {
				rule := &policy.Rule{Claims: []policy.ClaimIs{{Name: "tenant", Values: sets([]string{"acme"})}}}
				if rapid.Bool().Draw(t, "cel") {
					rule = &policy.Rule{When: set(rapid.SampledFrom([]string{"token.tenant == 'acme'", "token.tenant in ['acme', 'beta']", "token.tenant != 'acme'"}).Draw(t, "when"))}
				}
				open := &policy.Rule{When: set("true")}
				return document(&policy.Route{Name: set("r"), Match: set("GET,POST /*"), Authenticate: sets([]string{"hotel"}), Allow: []*policy.Rule{open}, Deny: []*policy.Rule{rule}})
			}
			return draw(), draw()
		},
		"after other hours": func(t *rapid.T) (old, now *policy.Document) {
			return drawHours(t), drawHours(t)
		},
		"after other patterns": func(t *rapid.T) (old, now *policy.Document) {
			return drawRouting(t), drawRouting(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened, quiet int
			rapid.Check(t, func(t *rapid.T) {
				for range 5 {
					old, now := draw(t)
					report := diff.Compare(old, now)
					if !report.Widens() {
						quiet++
					}
					for range 30 {
						r := drawRequest(t)
						if !admits(t, now, r) || admits(t, old, r) {
							continue
						}
						opened++
						if !report.Widens() {
							t.Fatalf("%+v is let in now and was not, and the report says %q\nold: %s\nnew: %s", r, report.Verdict(), shown(old), shown(now))
						}
					}
				}
			})
			if opened == 0 || quiet == 0 {
				t.Errorf("%d requests were let in that were not, %d edits were reported as harmless: the test shows nothing", opened, quiet)
			}
		})
	}
}

// To deny something and to allow its contrary alone are the same, also where it
// cannot be evaluated: neither lets in.
func TestADenialAndAnAllowedContraryAreTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		route := &policy.Route{Match: set("GET /{a}/{b}")}
		when := drawWhen(t, route, 2)
		denied, allowed := single(route, "true", when), single(route, "!("+when+")", "")
		for _, report := range []diff.Report{diff.Compare(denied, allowed), diff.Compare(allowed, denied)} {
			if len(report.Findings) != 0 {
				t.Fatalf("%s: %v", when, report.Findings)
			}
		}
	})
}

// single is a document with one route and one rule of each kind, by conditions.
func single(route *policy.Route, allow, deny string) *policy.Document {
	r := *route
	r.Name, r.Authenticate = set("r"), sets([]string{"hotel"})
	r.Allow = []*policy.Rule{{When: set(allow)}}
	if deny != "" {
		r.Deny = []*policy.Rule{{When: set(deny)}}
	}
	return document(&r)
}

func drawHours(t *rapid.T) *policy.Document {
	rule := &policy.Rule{}
	for range rapid.IntRange(1, 2).Draw(t, "spans") {
		days := [7]bool{}
		for range rapid.IntRange(1, 3).Draw(t, "days") {
			days[rapid.IntRange(0, 6).Draw(t, "day")] = true
		}
		rule.Hours = append(rule.Hours, policy.Hours{Days: days, Begin: hour(t), End: hour(t), Zone: time.UTC})
	}
	match := "GET,POST /*"
	return document(&policy.Route{Name: set("r"), Match: set(match), Authenticate: sets([]string{"hotel"}), Allow: []*policy.Rule{rule}})
}

// drawRouting is a document of which the routes are open to one scope each.
func drawRouting(t *rapid.T) *policy.Document {
	doc := document()
	taken := map[string]bool{}
	for i := range rapid.IntRange(1, 5).Draw(t, "routes") {
		r := drawRoute(t, fmt.Sprint("r", i))
		r.Match.V = rapid.SampledFrom([]string{"GET", "HEAD", "GET,POST"}).Draw(t, "methods") + " " + drawPath(t)
		r.Deny, r.Allow = nil, []*policy.Rule{{Scopes: sets([]string{rapid.SampledFrom([]string{"r", "w"}).Draw(t, "scope")})}}
		addRoute(doc, r, taken)
	}
	return doc
}

// Nothing is reported of a document beside itself, or in another order.
func TestTheSamePoliciesInAnotherOrderChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		old := drawDocument(t)
		now := copied(old)
		slices.Reverse(now.Routes)
		for _, r := range now.Routes {
			slices.Reverse(r.Allow)
			slices.Reverse(r.Deny)
			r.Name.V = "other-" + r.Name.V
		}
		if report := diff.Compare(old, now); len(report.Findings) != 0 {
			t.Fatalf("reported: %v\nold: %s", report.Findings, shown(old))
		}
	})
}

type request struct {
	host, method, path string
	sub, client        string
	scopes, groups     []string
	tenant, header     string // "" is absent, "odd" not what it should be
	level              int64
	source             netip.Addr
	at                 time.Time
}

func drawRequest(t *rapid.T) request {
	some := func(label string, from ...string) []string {
		return rapid.SliceOfDistinct(rapid.SampledFrom(from), rapid.ID[string]).Draw(t, label)
	}
	return request{
		host:   rapid.SampledFrom([]string{"a.test", "b.test"}).Draw(t, "host"),
		method: rapid.SampledFrom([]string{"GET", "HEAD", "POST"}).Draw(t, "method"),
		path:   "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"n", "m", "g-7", "z"}), 1, 4).Draw(t, "path"), "/") + rapid.SampledFrom([]string{"", "", "", "/"}).Draw(t, "slash"),
		sub:    rapid.SampledFrom([]string{"g-7", "n", "z", ""}).Draw(t, "sub"),
		client: rapid.SampledFrom([]string{"kiosk", "app", "x"}).Draw(t, "client"),
		scopes: some("scopes", "r", "w"), groups: some("groups", "staff", "admin"),
		tenant: rapid.SampledFrom([]string{"", "odd", "acme", "beta"}).Draw(t, "tenant"),
		header: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "header"),
		level:  rapid.Int64Range(0, 4).Draw(t, "level"),
		source: netip.MustParseAddr(rapid.SampledFrom([]string{"10.1.2.3", "10.200.0.1", "10.1.9.9", "192.0.2.1"}).Draw(t, "source")),
		at:     time.Date(2026, 6, 1+rapid.IntRange(0, 6).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), 30, 0, 0, time.UTC),
	}
}

func set[T any](v T) policy.Value[T] { return policy.Value[T]{V: v, Set: true} }

func sets(list []string) []policy.Value[string] {
	var out []policy.Value[string]
	for _, v := range list {
		out = append(out, set(v))
	}
	return out
}

func document(routes ...*policy.Route) *policy.Document {
	for _, r := range routes {
		r.Upstream = set("u")
	}
	return &policy.Document{
		Gateway: &policy.Gateway{Hosts: sets([]string{"a.test", "b.test"})},
		Issuers: []*policy.Issuer{{Name: set("hotel"), URL: set("https://i.test"), Claims: []policy.ClaimType{
			{Name: "tenant", Type: set("text")}, {Name: "groups", Type: set("texts")}, {Name: "level", Type: set("number")},
		}}},
		Upstreams: []*policy.Upstream{{Name: set("u"), Endpoints: sets([]string{"https://u.test"}), NoCredential: set("none")}},
		Routes:    routes,
	}
}

func drawDocument(t *rapid.T) *policy.Document {
	doc := document()
	taken := map[string]bool{}
	for i := range rapid.IntRange(1, 4).Draw(t, "routes") {
		addRoute(doc, drawRoute(t, fmt.Sprint("r", i)), taken)
	}
	return doc
}

func addRoute(doc *policy.Document, r *policy.Route, taken map[string]bool) {
	methods, path, _ := strings.Cut(r.Match.V, " ")
	shape := path
	for _, p := range []string{"{a}", "{b}", "{c}"} {
		shape = strings.ReplaceAll(shape, p, "{}")
	}
	hosts := []string{"a.test", "b.test"}
	if len(r.Hosts) > 0 {
		hosts = []string{r.Hosts[0].V}
	}
	var keys []string
	for _, h := range hosts {
		for m := range strings.SplitSeq(methods, ",") {
			keys = append(keys, h+m+shape)
		}
	}
	if slices.ContainsFunc(keys, func(k string) bool { return taken[k] }) {
		return
	}
	for _, k := range keys {
		taken[k] = true
	}
	doc.Routes = append(doc.Routes, r)
}

func drawRoute(t *rapid.T, name string) *policy.Route {
	r := &policy.Route{
		Name: set(name), Upstream: set("u"), NoLimits: set("none"), NoWAF: set("none"),
		Match: set(rapid.SampledFrom([]string{"GET", "GET,POST", "POST", "HEAD"}).Draw(t, "methods") + " " + drawPath(t)),
	}
	if rapid.IntRange(0, 3).Draw(t, "hosted") == 0 {
		r.Hosts = sets([]string{rapid.SampledFrom([]string{"a.test", "b.test"}).Draw(t, "host")})
	}
	r.Authenticate = sets([]string{"hotel"})
	for range rapid.IntRange(1, 2).Draw(t, "allows") {
		r.Allow = append(r.Allow, drawRule(t, r))
	}
	for range rapid.IntRange(0, 2).Draw(t, "denies") {
		r.Deny = append(r.Deny, drawRule(t, r))
	}
	return r
}

func drawPath(t *rapid.T) string {
	var path string
	params := []string{"{a}", "{b}", "{c}"}
	for i := range rapid.IntRange(1, 3).Draw(t, "length") {
		path += "/" + rapid.SampledFrom([]string{"n", "m", params[i]}).Draw(t, "segment")
	}
	if rapid.IntRange(0, 3).Draw(t, "star") == 0 {
		path += "/*"
	}
	return path
}

func params(r *policy.Route) []string {
	var names []string
	for segment := range strings.SplitSeq(r.Match.V, "/") {
		if strings.HasPrefix(segment, "{") {
			names = append(names, strings.Trim(segment, "{}"))
		}
	}
	return names
}

func drawRule(t *rapid.T, r *policy.Route) *policy.Rule {
	rule := &policy.Rule{}
	list := func(from ...string) []policy.Value[string] {
		return sets(rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, len(from), rapid.ID[string]).Draw(t, "some"))
	}
	for range rapid.IntRange(1, 2).Draw(t, "conditions") {
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0:
			rule.Scopes = list("r", "w")
		case 1:
			rule.Clients = list("kiosk", "app")
		case 2:
			rule.Methods = list("GET", "POST")
		case 3:
			rule.Networks = list("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/9", "10.128.0.0/9")
		case 4:
			days := [7]bool{}
			days[rapid.IntRange(0, 6).Draw(t, "day")] = true
			days[rapid.IntRange(0, 6).Draw(t, "day")] = true
			rule.Hours = []policy.Hours{{Days: days, Begin: hour(t), End: hour(t), Zone: time.UTC}}
		case 5:
			rule.Claims = []policy.ClaimIs{{Name: "tenant", Values: list("acme", "beta")}}
		case 6:
			rule.Claims = []policy.ClaimIs{{Name: "groups", Values: list("staff", "admin")}}
		case 7:
			if names := params(r); len(names) > 0 {
				rule.Owner = set(rapid.SampledFrom(names).Draw(t, "owner"))
				break
			}
			fallthrough
		default:
			rule.When = set(drawWhen(t, r, 2))
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "shadow") == 0 {
		rule.Mode = set("shadow")
	}
	return rule
}

func hour(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 4).Draw(t, "hour")) * 6 * time.Hour % (24 * time.Hour)
}

func drawWhen(t *rapid.T, r *policy.Route, deep int) string {
	leaves := []string{
		"token.client == 'kiosk'", "'app' == token.client", "token.client != 'kiosk'", "token.client in ['kiosk', 'x']",
		"'r' in token.scopes", "'staff' in token.groups", "token.tenant == 'acme'", "token.tenant != 'beta'",
		"token.level >= 2", "token.level < 3", "1 < token.level", "token.level == 2", "request.method == 'GET'",
		"request.headers['x'] == '1'", "request.headers['x'] == '2'", "token.tenant == request.headers['x']", "source.ip == '10.1.2.3'",
		"token.sub.startsWith('g')", "request.path == '/n'", "true", "token.scopes.exists(s, s == 'w')",
	}
	for _, name := range params(r) {
		leaves = append(leaves, "params."+name+" == token.sub", "params."+name+" == 'n'", "'z' != params."+name)
	}
	if deep > 0 {
		switch rapid.IntRange(0, 5).Draw(t, "shape") {
		case 0:
			return drawWhen(t, r, deep-1) + " && " + drawWhen(t, r, deep-1)
		case 1:
			return "(" + drawWhen(t, r, deep-1) + " || " + drawWhen(t, r, deep-1) + ")"
		case 2:
			return "!(" + drawWhen(t, r, deep-1) + ")"
		case 3:
			return "(" + drawWhen(t, r, deep-1) + " ? " + drawWhen(t, r, deep-1) + " : " + drawWhen(t, r, deep-1) + ")"
		}
	}
	return rapid.SampledFrom(leaves).Draw(t, "leaf")
}

func copied(doc *policy.Document) *policy.Document {
	out := *doc
	out.Routes = nil
	for _, r := range doc.Routes {
		c := *r
		c.Allow, c.Deny = copiedRules(r.Allow), copiedRules(r.Deny)
		out.Routes = append(out.Routes, &c)
	}
	return &out
}

func copiedRules(list []*policy.Rule) []*policy.Rule {
	var out []*policy.Rule
	for _, r := range list {
		c := *r
		out = append(out, &c)
	}
	return out
}

// edit changes one to three things.
func edit(t *rapid.T, old *policy.Document) *policy.Document {
	now := copied(old)
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		i := rapid.IntRange(0, len(now.Routes)-1).Draw(t, "route")
		r := now.Routes[i]
		list := &r.Allow
		if rapid.Bool().Draw(t, "deny") {
			list = &r.Deny
		}
		j := rapid.IntRange(0, max(0, len(*list)-1)).Draw(t, "rule")
		switch kind := rapid.IntRange(0, 8).Draw(t, "edit"); {
		case kind == 0:
			*list = append(*list, drawRule(t, r))
		case kind == 1 && len(*list) > 0:
			*list = slices.Delete(*list, j, j+1)
		case kind == 2 && len(*list) > 0:
			(*list)[j] = drawRule(t, r)
		case kind == 3 && len(*list) > 0:
			(*list)[j].Mode = set(rapid.SampledFrom([]string{"enforce", "shadow"}).Draw(t, "mode"))
		case kind == 4 && len(*list) > 0:
			narrow(t, (*list)[j], r)
		case kind == 5 && len(*list) > 0 && (*list)[j].When.Set:
			(*list)[j].When.V = "(" + (*list)[j].When.V + ") " + rapid.SampledFrom([]string{"&&", "||"}).Draw(t, "op") + " " + drawWhen(t, r, 1)
		case kind == 6 && len(now.Routes) > 1:
			now.Routes = slices.Delete(now.Routes, i, i+1)
		default:
			taken := map[string]bool{}
			all := now.Routes
			now.Routes = nil
			for _, r := range append(all, drawRoute(t, "added"+fmt.Sprint(len(all)))) {
				addRoute(now, r, taken)
			}
		}
	}
	return now
}

func narrow(t *rapid.T, rule *policy.Rule, r *policy.Route) {
	other := drawRule(t, r)
	if len(other.Scopes) > 0 {
		rule.Scopes = other.Scopes
	}
	if len(other.Networks) > 0 {
		rule.Networks = other.Networks
	}
	if other.When.Set {
		rule.When = other.When
	}
}

// admits judges a request: the most specific route, any allow rule, no deny rule.
func admits(t *rapid.T, doc *policy.Document, r request) bool {
	route, at := find(doc, r, r.method)
	method := r.method
	if route == nil && r.method == http.MethodHead {
		route, at = find(doc, r, http.MethodGet)
		method = http.MethodGet
	}
	if route == nil {
		return false
	}
	for _, rule := range route.Deny {
		if rule.Mode.V != "shadow" && matches(t, rule, route, r, at, method) != fails {
			return false
		}
	}
	for _, rule := range route.Allow {
		if rule.Mode.V != "shadow" && matches(t, rule, route, r, at, method) == holds {
			return true
		}
	}
	return false
}

type state int

const (
	fails state = iota
	holds
	errs
)

// find compares all routes, segment by segment.
func find(doc *policy.Document, r request, method string) (best *policy.Route, at map[string]string) {
	var bestKey string
	path := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
next:
	for _, route := range doc.Routes {
		methods, pattern, _ := strings.Cut(route.Match.V, " ")
		if !slices.Contains(strings.Split(methods, ","), method) {
			continue
		}
		if len(route.Hosts) > 0 && route.Hosts[0].V != r.host {
			continue
		}
		key, found := "", map[string]string{}
		segments := strings.Split(strings.Trim(pattern, "/"), "/")
		for i, s := range segments {
			switch {
			case s == "*" && i < len(path):
				key += "1"
			case i >= len(path):
				continue next
			case strings.HasPrefix(s, "{") && path[i] != "":
				key += "2"
				found[strings.Trim(s, "{}")] = path[i]
			case s == path[i]:
				key += "3"
			default:
				continue next
			}
		}
		if segments[len(segments)-1] != "*" && len(segments) != len(path) {
			continue
		}
		if key > bestKey {
			best, at, bestKey = route, found, key
		}
	}
	return best, at
}

func matches(t *rapid.T, rule *policy.Rule, route *policy.Route, r request, at map[string]string, method string) state {
	has := func(list []policy.Value[string], of ...string) bool {
		return slices.ContainsFunc(list, func(v policy.Value[string]) bool { return slices.Contains(of, v.V) })
	}
	for _, s := range rule.Scopes {
		if !slices.Contains(r.scopes, s.V) {
			return fails
		}
	}
	named, broken := len(rule.Scopes) > 0, false
	for _, c := range rule.Claims {
		named = true
		of := r.groups
		if c.Name == "tenant" {
			of = []string{r.tenant}
		}
		if c.Name == "tenant" && r.tenant == "odd" {
			broken = true
		} else if !has(c.Values, of...) {
			return fails
		}
	}
	if rule.Owner.Set && (r.sub == "" || at[rule.Owner.V] != r.sub) {
		return fails
	}
	if len(rule.Clients) > 0 && !has(rule.Clients, r.client) {
		return fails
	}
	if len(rule.Methods) > 0 && !has(rule.Methods, method) {
		return fails
	}
	if len(rule.Networks) > 0 && !slices.ContainsFunc(rule.Networks, func(v policy.Value[string]) bool { return netip.MustParsePrefix(v.V).Contains(r.source) }) {
		return fails
	}
	if len(rule.Hours) > 0 && !slices.ContainsFunc(rule.Hours, func(h policy.Hours) bool { return within(h, r.at) }) {
		return fails
	}
	named = named || rule.Owner.Set || len(rule.Clients)+len(rule.Methods)+len(rule.Networks)+len(rule.Hours) > 0 || rule.When.Set
	if !named {
		return fails
	}
	if rule.When.Set {
		if s := condition(t, rule.When.V, r, at, method); s != holds {
			return s
		}
	}
	if broken {
		return errs
	}
	return holds
}

func within(h policy.Hours, now time.Time) bool {
	for back := range 2 {
		day := now.AddDate(0, 0, -back)
		begin := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
		end := begin.Add(h.End)
		if h.End <= h.Begin {
			end = end.Add(24 * time.Hour)
		}
		if h.Days[day.Weekday()] && !now.Before(begin.Add(h.Begin)) && now.Before(end) {
			return true
		}
	}
	return false
}

var compiled sync.Map

func condition(t *rapid.T, text string, r request, at map[string]string, method string) state {
	program, known := compiled.Load(text)
	if !known {
		options := []cel.EnvOption{
			cel.Variable("token.scopes", cel.ListType(cel.StringType)), cel.Variable("token.groups", cel.ListType(cel.StringType)),
			cel.Variable("token.level", cel.IntType), cel.Variable("request.headers", cel.MapType(cel.StringType, cel.StringType)),
		}
		for _, name := range []string{"token.client", "token.sub", "token.tenant", "request.method", "request.path", "source.ip", "params.a", "params.b", "params.c"} {
			options = append(options, cel.Variable(name, cel.StringType))
		}
		env, err := cel.NewEnv(options...)
		if err != nil {
			t.Fatal(err)
		}
		parsed, issues := env.Compile(text)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", text, issues.Err())
		}
		if program, err = env.Program(parsed); err != nil {
			t.Fatal(err)
		}
		compiled.Store(text, program)
	}
	vars := map[string]any{
		"token.scopes": r.scopes, "token.groups": r.groups, "token.level": r.level, "token.client": r.client, "token.sub": r.sub,
		"request.method": method, "request.path": r.path, "source.ip": r.source.String(), "request.headers": map[string]string{},
	}
	if r.header != "" {
		vars["request.headers"] = map[string]string{"x": r.header}
	}
	if r.tenant != "" && r.tenant != "odd" {
		vars["token.tenant"] = r.tenant
	}
	for name, value := range at {
		vars["params."+name] = value
	}
	out, _, err := program.(cel.Program).Eval(vars)
	switch {
	case err != nil:
		return errs
	case out.Value() == true:
		return holds
	default:
		return fails
	}
}

func shown(doc *policy.Document) string {
	var b strings.Builder
	for _, r := range doc.Routes {
		fmt.Fprintf(&b, "\n  %s %s on %v", r.Name.V, r.Match.V, r.Hosts)
		for kind, list := range maps.All(map[string][]*policy.Rule{"allow": r.Allow, "deny": r.Deny}) {
			for _, rule := range list {
				fmt.Fprintf(&b, "\n    %s %+v", kind, *rule)
			}
		}
	}
	return b.String()
}
