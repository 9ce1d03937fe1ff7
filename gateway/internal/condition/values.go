package condition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"portcullis/gateway/internal/pipeline"
)

// values is the one request that a condition is asked about, as CEL sees it.
// Each variable has its own place here, filled when it is asked for: see box.
type values struct {
	tx *pipeline.Transaction

	method, path, host, contentType, ip types.String
	size                                types.Int
	headers, query                      fields
	sub, client, issuer, actor          types.String
	scopes, claimNames                  texts
	route, upstream                     types.String

	params []param
	claims []*claim
	// address is the text of ip: long enough for IPv6 without a zone.
	address [48]byte
}

type param struct {
	name  string
	value types.String
}

// claim is a place for a declared claim of any type.
type claim struct {
	name   string
	text   types.String
	texts  texts
	number types.Int
}

// reset forgets the request, and keeps the room.
func (v *values) reset() {
	params, claims := v.params[:0], v.claims
	clear(v.params)
	for _, c := range claims {
		*c = claim{}
	}
	*v = values{params: params, claims: claims}
}

// Parent is nil: there is nothing beyond.
func (*values) Parent() cel.Activation { return nil }

// ResolveName is a variable's value, or an error in its place.
func (v *values) ResolveName(name string) (any, bool) {
	tx := v.tx
	switch name {
	case "request.method":
		return set(&v.method, types.String(tx.Method()))
	case "request.path":
		return set(&v.path, types.String(tx.Path))
	case "request.host":
		return set(&v.host, types.String(tx.Host))
	case "request.content_type":
		return v.mediaType()
	case "request.size":
		return v.length()
	case "request.time":
		return types.Timestamp{Time: tx.Start.UTC()}, true // the one that costs an allocation
	case "request.headers":
		v.headers = fields{name: name, header: tx.Request.Header}
		return &v.headers, true
	case "request.query":
		v.query = fields{name: name, query: &tx.Query}
		return &v.query, true
	case "source.ip":
		return set(&v.ip, types.String(view(tx.Source.Unmap().WithZone("").AppendTo(v.address[:0]))))
	case "route.name", "route.upstream":
		return v.routed(name)
	}
	if param, ok := strings.CutPrefix(name, "params."); ok {
		return v.param(param)
	}
	if claim, ok := strings.CutPrefix(name, "token."); ok {
		return v.token(claim)
	}
	return nil, false
}

// set puts a value in its place and gives that place out.
func set[T types.String | types.Int](place *T, value T) (any, bool) {
	*place = value
	return box(place), true
}

// length is that of the body. A body whose length nobody has announced is an
// error: -1 would be less than any bound a rule sets.
func (v *values) length() (any, bool) {
	n := v.tx.Request.ContentLength
	if n < 0 {
		return types.NewErr("the length of the body is not announced"), true
	}
	return set(&v.size, types.Int(n))
}

// mediaType is the Content-Type without its parameters, in lower case; empty
// without one. Two of them are an error: our upstream may believe the other.
func (v *values) mediaType() (any, bool) {
	found := v.tx.Request.Header["Content-Type"]
	if len(found) > 1 {
		return types.NewErr("there is more than one Content-Type"), true
	}
	kind := ""
	if len(found) == 1 {
		kind, _, _ = strings.Cut(found[0], ";")
	}
	return set(&v.contentType, types.String(strings.ToLower(strings.TrimSpace(kind))))
}

func (v *values) routed(name string) (any, bool) {
	if v.tx.Route == nil {
		return types.NewErr("no route was found"), true
	}
	if name == "route.name" {
		return set(&v.route, types.String(v.tx.Route.Name))
	}
	return set(&v.upstream, types.String(v.tx.Route.Upstream))
}

func (v *values) param(name string) (any, bool) {
	for i := range v.params {
		if v.params[i].name == name {
			return box(&v.params[i].value), true
		}
	}
	value, ok := v.tx.Params.Get(name)
	if !ok {
		return types.NewErr("params.%s is absent", name), true
	}
	// The list may move as it grows; what was given out stays where it was.
	v.params = append(v.params, param{name, types.String(value)})
	return box(&v.params[len(v.params)-1].value), true
}

func (v *values) token(name string) (any, bool) {
	p := v.tx.Principal
	if p == nil {
		return types.NewErr("nobody has shown a token"), true
	}
	switch name {
	case "sub":
		return set(&v.sub, types.String(p.Subject))
	case "client":
		return set(&v.client, types.String(p.Client))
	case "issuer":
		return set(&v.issuer, types.String(p.Issuer))
	case "actor":
		return set(&v.actor, types.String(p.Actor))
	case "scopes":
		v.scopes.list = p.Scopes
		return &v.scopes, true
	case "claims":
		v.claimNames.list = readable(p.Claims)
		return &v.claimNames, true
	}
	value, present := p.Claim(name)
	switch value := value.(type) {
	case string:
		return set(&v.claim(name).text, types.String(value))
	case int64:
		return set(&v.claim(name).number, types.Int(value))
	case bool:
		return types.Bool(value), true
	case []string:
		place := &v.claim(name).texts
		place.list = value
		return place, true
	}
	return types.NewErr("token.%s is %s", name, lacking(present)), true
}

// lacking says why a declared claim has no value.
func lacking(present bool) string {
	if present {
		return "of another type"
	}
	return "absent"
}

// claim is the place of a claim.
func (v *values) claim(name string) *claim {
	for _, c := range v.claims {
		if c.name == name || c.name == "" {
			c.name = name
			return c
		}
	}
	c := &claim{name: name}
	v.claims = append(v.claims, c)
	return c
}

// readable are the names of the declared claims that have a value, sorted.
func readable(claims map[string]any) []string {
	names := slices.Sorted(maps.Keys(claims))
	return slices.DeleteFunc(names, func(name string) bool { return claims[name] == nil })
}

// shown is a value as an explanation shows it: texts quoted, so that nothing of
// a request can pass for more than a value, and cut short.
func shown(value any) string {
	switch value := value.(type) {
	case types.String:
		return quote(string(value))
	case *texts:
		const most = 10
		quoted := make([]string, 0, most+1)
		for i, s := range value.list {
			if i == most {
				quoted = append(quoted, fmt.Sprintf("and %d more", len(value.list)-most))
				break
			}
			quoted = append(quoted, quote(s))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case types.Timestamp:
		return value.Format(time.RFC3339)
	case *types.Err:
		return "(" + value.Error() + ")"
	default:
		return fmt.Sprint(value)
	}
}

func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		return fmt.Sprintf("%.80q…", s)
	}
	return strconv.Quote(s)
}
