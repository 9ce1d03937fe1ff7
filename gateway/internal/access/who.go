package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// nobody is the value where a principal is missing.
const nobody = "nobody"

// anyone is everybody.
type anyone struct{ place string }

func (anyone) state(*pipeline.Transaction) pipeline.State { return pipeline.Holds }

func (a anyone) explain(*pipeline.Transaction) []pipeline.Reason {
	return []pipeline.Reason{{Text: "anyone", State: pipeline.Holds, Place: a.place}}
}

// clients wants one of some clients.
type clients []Text

func (c clients) state(tx *pipeline.Transaction) pipeline.State {
	return stated(tx.Principal != nil && isOneOf(c, tx.Principal.Client))
}

func (c clients) explain(tx *pipeline.Transaction) []pipeline.Reason {
	value := nobody
	if tx.Principal != nil {
		value = quoted(tx.Principal.Client)
	}
	return []pipeline.Reason{reason("client is "+eitherOf(c), c.state(tx), value, c[0].Place, "client "+eitherOf(c))}
}

// owner wants the subject to be a path parameter. A subject that is empty owns
// nothing.
type owner Text

func (o owner) state(tx *pipeline.Transaction) pipeline.State {
	of, ok := tx.Params.Get(o.V)
	return stated(ok && of != "" && tx.Principal != nil && of == tx.Principal.Subject)
}

func (o owner) explain(tx *pipeline.Transaction) []pipeline.Reason {
	of, _ := tx.Params.Get(o.V)
	value := nobody
	if tx.Principal != nil {
		value = fmt.Sprintf("subject %s, %s %s", quoted(tx.Principal.Subject), o.V, quoted(of))
	}
	return []pipeline.Reason{reason("subject is the "+o.V+" of the path", o.state(tx), value, o.Place, "subject "+quoted(of))}
}

// scopes wants all of some scopes.
type scopes []Text

func (s scopes) state(tx *pipeline.Transaction) pipeline.State {
	if tx.Principal == nil {
		return pipeline.Fails
	}
	for _, scope := range s {
		if !tx.Principal.Has(scope.V) {
			return pipeline.Fails
		}
	}
	return pipeline.Holds
}

func (s scopes) explain(tx *pipeline.Transaction) []pipeline.Reason {
	value := nobody
	if tx.Principal != nil {
		value = quoted(strings.Join(tx.Principal.Scopes, " "))
	}
	out := make([]pipeline.Reason, len(s))
	for i := range s {
		out[i] = reason("scopes has "+s[i].V, s[i:i+1].state(tx), value, s[i].Place, "scope "+s[i].V)
	}
	return out
}

// claim wants one of some values of a declared claim.
type claim struct {
	Claim
	values []any // as a principal holds them, a list's entries
}

// newClaim reads the values as the claim's type; one that cannot be read is
// never had.
func newClaim(c Claim) claim {
	made := claim{Claim: c}
	for _, v := range c.Values {
		switch c.Type {
		case token.ClaimNumber:
			if n, err := strconv.ParseInt(v.V, 10, 64); err == nil {
				made.values = append(made.values, n)
			}
		case token.ClaimTruth:
			if v.V == "true" || v.V == "false" {
				made.values = append(made.values, v.V == "true")
			}
		default:
			made.values = append(made.values, v.V)
		}
	}
	return made
}

func (c claim) state(tx *pipeline.Transaction) pipeline.State {
	if tx.Principal == nil {
		return pipeline.Fails
	}
	value, present := tx.Principal.Claim(c.Name)
	switch value := value.(type) {
	case nil:
		if present {
			return pipeline.Broken
		}
		return pipeline.Fails
	case []string:
		return stated(slices.ContainsFunc(c.Values, func(v Text) bool { return slices.Contains(value, v.V) }))
	default:
		return stated(slices.Contains(c.values, value))
	}
}

func (c claim) explain(tx *pipeline.Transaction) []pipeline.Reason {
	verb := "is"
	if c.Type == token.ClaimTexts {
		verb = "has"
	}
	text := fmt.Sprintf("claim %s %s %s", c.Name, verb, eitherOf(c.Values))
	return []pipeline.Reason{reason(text, c.state(tx), c.value(tx.Principal), c.Place, strings.TrimPrefix(text, "claim "))}
}

// value is what the token has of the claim.
func (c claim) value(p *token.Principal) string {
	if p == nil {
		return nobody
	}
	value, present := p.Claim(c.Name)
	switch value := value.(type) {
	case nil:
		if present {
			return "of another type than " + string(c.Type)
		}
		return "absent"
	case string:
		return quoted(value)
	case []string:
		return quoted(strings.Join(value, " "))
	default:
		return fmt.Sprint(value)
	}
}
