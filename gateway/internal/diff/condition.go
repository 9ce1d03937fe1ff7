package diff

import (
	"math"
	"strings"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// when is the formula of a condition in CEL. It is taken apart at &&, || and !,
// where CEL treats errors as formulas here do; comparisons with literals are
// understood, and anything else is known by its text alone, in one spelling.
// Macros are left as they stand, for the parser is given none.
func (a asker) when(text string) expr {
	p, err := parser.NewParser()
	if err != nil {
		return a.unreadable(text)
	}
	parsed, mistakes := p.Parse(common.NewTextSource(text))
	if len(mistakes.GetErrors()) > 0 {
		return a.unreadable(text)
	}
	c := condition{asker: a, positions: a.route.path.positions()}
	formula := c.formula(parsed.Expr())
	if c.unclear {
		return a.unreadable(text)
	}
	return formula
}

// condition is one expression in CEL.
type condition struct {
	asker
	positions map[string]int
	// unclear says that a macro gives one of the variables' names to something
	// else, so that the text does not say what is meant.
	unclear bool
}

func (c *condition) formula(e ast.Expr) expr {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return constant(truthOf(bool(b)))
		}
	case ast.CallKind:
		if f := c.call(e.AsCall()); f != nil {
			return f
		}
	}
	return c.opaque(e)
}

// call is the formula of an operator that is understood, or nil.
func (c *condition) call(call ast.CallExpr) expr {
	args := call.Args()
	if call.IsMemberFunction() || len(args) == 0 {
		return nil
	}
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd:
		return and(c.formulas(args))
	case operators.LogicalOr:
		return or(c.formulas(args))
	case operators.LogicalNot:
		return not{c.formula(args[0])}
	case operators.Equals:
		return c.equals(args[0], args[1])
	case operators.NotEquals:
		if f := c.equals(args[0], args[1]); f != nil {
			return not{f}
		}
		// In one spelling with ==, so that one is seen to be the other's contrary.
		return not{c.known(c.spell(args[0], args[1], " == "))}
	case operators.In:
		return c.in(args[0], args[1])
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return c.compares(name, args[0], args[1])
	}
	return nil
}

func (c *condition) formulas(list []ast.Expr) []expr {
	out := make([]expr, len(list))
	for i, e := range list {
		out[i] = c.formula(e)
	}
	return out
}

// equals understands a comparison with a literal.
func (c *condition) equals(a, b ast.Expr) expr {
	if a.Kind() == ast.LiteralKind {
		a, b = b, a
	}
	left := c.text(a)
	if b.Kind() != ast.LiteralKind {
		return c.known(c.spell(a, b, " == "))
	}
	switch literal := b.AsLiteral().(type) {
	case types.String:
		if fixed, ok := unquote(left); ok {
			return constant(truthOf(fixed == string(literal)))
		}
		wanted := string(literal)
		if left == issuerVariable {
			wanted = c.route.side.urlOf(wanted)
		}
		return c.weigh(left, c.asker.text(c.side, c.name(left), c.mayErr(left), wanted))
	case types.Bool:
		if literal {
			return c.formula(a)
		}
		return not{c.formula(a)}
	case types.Int:
		return c.whole(left, int64(literal), equal)
	}
	return nil
}

// in understands the membership in a list of texts, and of a text in a list of
// texts that a token has.
func (c *condition) in(element, list ast.Expr) expr {
	if list.Kind() == ast.ListKind {
		var one or
		for _, entry := range list.AsList().Elements() {
			if entry.Kind() != ast.LiteralKind {
				return nil
			}
			f := c.equals(element, entry)
			if f == nil {
				return nil
			}
			one = append(one, f)
		}
		if len(one) == 0 {
			return nil
		}
		return one
	}
	if element.Kind() != ast.LiteralKind {
		return nil
	}
	wanted, ok := element.AsLiteral().(types.String)
	if !ok {
		return nil
	}
	of := c.text(list)
	if of == "token.scopes" {
		return c.scope(string(wanted))
	}
	if claim, isClaim := strings.CutPrefix(of, "token."); isClaim && c.route.side.claims[claim] == "texts" {
		return c.truth(c.side, c.name(of)+" holds "+string(wanted), true, false)
	}
	return nil
}

// compares understands a whole number beside something.
func (c *condition) compares(operator string, a, b ast.Expr) expr {
	compare := map[string]func(a, b int64) bool{
		operators.Less:          func(a, b int64) bool { return a < b },
		operators.LessEquals:    func(a, b int64) bool { return a <= b },
		operators.Greater:       func(a, b int64) bool { return a > b },
		operators.GreaterEquals: func(a, b int64) bool { return a >= b },
	}[operator]
	if n, ok := wholeLiteral(b); ok {
		return c.whole(c.text(a), n, compare)
	}
	if n, ok := wholeLiteral(a); ok {
		return c.whole(c.text(b), n, func(a, b int64) bool { return compare(b, a) })
	}
	return nil
}

func wholeLiteral(e ast.Expr) (int64, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	n, ok := e.AsLiteral().(types.Int)
	return int64(n), ok
}

func (c *condition) whole(of string, with int64, compare func(a, b int64) bool) expr {
	if with == math.MinInt64 || with == math.MaxInt64 {
		return nil
	}
	return c.weigh(of, c.number(c.side, c.name(of), c.mayErr(of), with, compare))
}

// weigh reports whether others may mean the same as what a test asks for: all but
// plain variables.
func (c *condition) weigh(of string, t test) test {
	c.list[t.variable].opaque = strings.ContainsAny(of, "([")
	return t
}

// opaque is an expression known only by its text.
func (c *condition) opaque(e ast.Expr) expr { return c.known(c.text(e)) }

func (c *condition) known(text string) expr {
	return c.truth(c.side, c.name(text), true, true)
}

// issuerVariable holds the name that policies give to an issuer, which may stand
// for another one on the other side.
const issuerVariable = "token.issuer"

// name keeps apart what two routes know of their callers; see key. What hangs
// on the names of issuers or on which claims are declared is the same only
// where those are.
func (c *condition) name(text string) string {
	if strings.Contains(text, issuerVariable) && text != issuerVariable {
		text += c.route.side.issuerNames()
	}
	if strings.Contains(text, "token.claims") {
		text += c.route.side.declared()
	}
	if strings.Contains(text, "token.") {
		return c.key(text)
	}
	return text
}

// mayErr reports whether asking for something can be an error. What every request
// has cannot, as long as there is a caller.
func (c *condition) mayErr(text string) bool {
	switch text {
	case "request.path", "request.host", "request.content_type", "request.size", "source.ip":
		return false
	case "token.sub", "token.client", "token.issuer", "token.actor":
		return !c.route.authenticated()
	}
	return !strings.HasPrefix(text, "segment ") || strings.ContainsAny(text, "().[")
}
