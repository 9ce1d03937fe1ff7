package policy

import "go.yaml.in/yaml/v4"

// claims reads the claims a token must carry.
func claims(into *[]Claim) reader {
	return mapOfValues("claims", text, func(name string, _ Pos, v Value[string]) {
		*into = append(*into, Claim{name, v})
	})
}

// claimTypes reads the claims that conditions may use.
func claimTypes(into *[]ClaimType) reader {
	kinds := func(v *Value[string]) reader { return word(v, "text", "texts", "number", "truth") }
	return mapOfValues("claims", kinds, func(name string, _ Pos, v Value[string]) {
		*into = append(*into, ClaimType{name, v})
	})
}

// claimsAre reads claims and the values each may have.
func claimsAre(into *[]ClaimIs) reader {
	several := func(vs *[]Value[string]) reader { return oneOrMore(vs, anyScalar) }
	return mapOf("claims", several, func(name string, at Pos, vs []Value[string]) {
		if len(vs) > 0 {
			*into = append(*into, ClaimIs{at, name, vs})
		}
	})
}

// mapOfValues is mapOf where each name has one value.
func mapOfValues(what string, of func(*Value[string]) reader, each func(name string, at Pos, v Value[string])) reader {
	return mapOf(what, of, func(name string, at Pos, v Value[string]) {
		if v.Set {
			each(name, at, v)
		}
	})
}

// mapOf reads a mapping of names that the policy's author chooses.
func mapOf[T any](what string, of func(*T) reader, each func(name string, at Pos, v T)) reader {
	read := func(d *decoder, n *yaml.Node) {
		if !d.plain(n) {
			return
		}
		if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
			d.reportf(n, CodeShape, "write {name: value}", "%s and their values belong here, not %s", what, shape(n))
			return
		}
		seen := map[string]Pos{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if !d.key(key, what, seen) {
				continue
			}
			var name Value[string]
			var v T
			text(&name).read(d, key)
			if empty(n.Content[i+1]) {
				d.reportf(key, CodeMissing, "give it a value or leave it out", "%q has no value", key.Value)
				continue
			}
			if of(&v).read(d, n.Content[i+1]); name.Set {
				each(name.V, name.Pos, v)
			}
		}
	}
	return reader{read: read, schema: func() *schema {
		return &schema{Type: "object", MinProperties: 1, Additional: of(new(T)).schema()}
	}}
}
