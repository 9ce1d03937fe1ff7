package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// spell writes two operands of an operator for which their order is the same.
func (c *condition) spell(a, b ast.Expr, operator string) string {
	operands := []string{c.text(a), c.text(b)}
	slices.Sort(operands)
	return strings.Join(operands, operator)
}

// text writes an expression in one spelling, whatever its spaces, quotes and
// parentheses were. A parameter is called by its place in the path, and what
// the route settles (its name, its upstream, the method) by its value.
func (c *condition) text(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return c.ident(e.AsIdent())
	case ast.SelectKind:
		return c.selected(e.AsSelect())
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.String:
			return strconv.Quote(string(v))
		default:
			return fmt.Sprintf("%T(%v)", v, v.Value())
		}
	case ast.CallKind:
		call := e.AsCall()
		target := ""
		if call.IsMemberFunction() {
			target = c.text(call.Target()) + "."
		}
		return target + call.FunctionName() + "(" + c.texts(call.Args()) + ")"
	case ast.ListKind:
		return fmt.Sprintf("[%s]%v", c.texts(e.AsList().Elements()), e.AsList().OptionalIndices())
	default:
		c.unclear = true // maps, structs: no condition on a request needs them
		return ""
	}
}

func (c *condition) texts(list []ast.Expr) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = c.text(e)
	}
	return strings.Join(out, ", ")
}

func (c *condition) ident(name string) string {
	switch name = strings.TrimPrefix(name, "."); name {
	case "request", "source", "token", "route", "params":
		c.unclear = true // a variable of a macro: there is none of these alone
	}
	return name
}

func (c *condition) selected(s ast.SelectExpr) string {
	if operand := s.Operand(); operand.Kind() == ast.IdentKind {
		switch root := strings.TrimPrefix(operand.AsIdent(), "."); root + "." + s.FieldName() {
		case "request.method":
			return strconv.Quote(c.method)
		case "route.name":
			return strconv.Quote(c.route.Route.Name.V)
		case "route.upstream":
			return strconv.Quote(c.route.Effective.Upstream.V)
		default:
			if root == "params" {
				at, known := c.positions[s.FieldName()]
				c.unclear = c.unclear || !known
				return "segment " + strconv.Itoa(at)
			}
			if slices.Contains([]string{"request", "source", "token", "route"}, root) {
				return root + "." + s.FieldName()
			}
		}
	}
	of := c.text(s.Operand())
	if of == "request.headers" || of == "request.query" {
		return operators.Index + "(" + of + ", " + strconv.Quote(s.FieldName()) + ")" // as of['name']
	}
	return of + "." + s.FieldName()
}

func unquote(text string) (string, bool) {
	s, err := strconv.Unquote(text)
	return s, err == nil && strings.HasPrefix(text, `"`)
}
