package compile

import (
	"fmt"
	"net/netip"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// authorize is the stage that asks a route's rules.
func (b *build) authorize(p *policy.Route, e policy.Effective) (pipeline.Stage, error) {
	before := len(b.mistakes)
	allow, deny := b.rules(p, e, pipeline.Allow, p.Allow), b.rules(p, e, pipeline.Deny, p.Deny)
	if len(b.mistakes) > before {
		return nil, errRecorded
	}
	return access.NewAuthorize(allow, deny)
}

func (b *build) rules(p *policy.Route, e policy.Effective, kind pipeline.Kind, list []*policy.Rule) []access.Rule {
	out := make([]access.Rule, len(list))
	for i, r := range list {
		name, label := r.Called(kind.String(), i), kind.String()
		if r.Name.Set {
			label += " " + name
		}
		out[i] = access.Rule{
			Name: name, Label: label + " (" + place(r.Pos) + ")", Place: place(r.Pos), Shadow: r.Mode.V == shadow,
			Anyone: r.Anyone.V, Methods: texts(r.Methods), Clients: texts(r.Clients), Owner: text(r.Owner),
			Networks: b.networks(r.Networks), Hours: spans(r.Hours), Claims: b.claims(r.Claims), Scopes: texts(r.Scopes),
			When: b.when(p, e, r.When),
		}
		if out[i].Shadow {
			out[i].Count = b.shadow(p.Name.V, "authorize", name, kind)
		}
	}
	return out
}

func (b *build) networks(list []policy.Value[string]) []access.Network {
	var out []access.Network
	for _, v := range list {
		prefix, err := netip.ParsePrefix(v.V)
		if err != nil {
			b.wrong(v.Pos, CodeRoute, err.Error(), "") // Validate has parsed it
			continue
		}
		out = append(out, access.Network{Prefix: prefix, Place: place(v.Pos)})
	}
	return out
}

func spans(list []policy.Hours) []access.Span {
	var out []access.Span
	for _, h := range list {
		out = append(out, access.Span{Text: h.Text, Days: h.Days, Begin: h.Begin, End: h.End, Zone: h.Zone, Place: place(h.Pos)})
	}
	return out
}

func (b *build) claims(list []policy.ClaimIs) []access.Claim {
	var out []access.Claim
	for _, c := range list {
		kind := b.declared()[c.Name]
		if kind == "" {
			b.wrong(c.Pos, CodeRoute, fmt.Sprintf("no issuer declares the claim %q", c.Name), "") // Validate has looked
			continue
		}
		out = append(out, access.Claim{Name: c.Name, Type: kind, Values: texts(c.Values), Place: place(c.Pos)})
	}
	return out
}

// declared are the declared claims of all issuers, which have one type each.
func (b *build) declared() map[string]token.ClaimType {
	if b.claimTypes == nil {
		b.claimTypes = map[string]token.ClaimType{}
		for _, i := range b.doc.Issuers {
			for name, kind := range claimTypes(i) {
				b.claimTypes[name] = kind
			}
		}
	}
	return b.claimTypes
}

// claimTypes are the declared claims of an issuer; nil for none.
func claimTypes(p *policy.Issuer) map[string]token.ClaimType {
	if len(p.Claims) == 0 {
		return nil
	}
	types := map[string]token.ClaimType{}
	for _, c := range p.Claims {
		types[c.Name] = token.ClaimType(c.Type.V)
	}
	return types
}

func text(v policy.Value[string]) access.Text {
	if !v.Set {
		return access.Text{}
	}
	return access.Text{V: v.V, Place: place(v.Pos)}
}

func texts(vs []policy.Value[string]) []access.Text {
	var out []access.Text
	for _, v := range vs {
		out = append(out, text(v))
	}
	return out
}
