package condition

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"portcullis/gateway/internal/pipeline"
)

// Conjunct is one of the expressions that && joins, as it stood for a request.
type Conjunct struct {
	// Text is the expression, Offset where it stands in the condition, in bytes.
	Text   string
	Offset int
	State  pipeline.State
	// Values are the variables in it: token.sub = "u-7", params.user = "u-9".
	Values string
	// Mend is what would have let it hold; empty when it holds.
	Mend string
}

// part is a conjunct with a program of its own.
type part struct {
	text    string
	offset  int
	program cel.Program
	sees    []sight
	equals  []ast.Expr // the two sides of ==, if it is one
}

// sight is something of the request that a conjunct looks at.
type sight struct {
	name string // token.sub, request.headers
	key  string // the name of a field; empty for all of them and for others
}

// Explain evaluates each conjunct by itself, by the code that decides. A header
// field or a query parameter shows its value only if visible says so: it may be
// a secret. It does not change the request.
func (c *Condition) Explain(tx *pipeline.Transaction, visible func(field string) bool) []Conjunct {
	v := &values{tx: tx}
	parts := c.asked()
	out := make([]Conjunct, len(parts))
	for i, p := range parts {
		out[i] = Conjunct{Text: p.text, Offset: p.offset, State: evaluate(p.program, v), Values: v.see(p.sees, visible)}
		if out[i].State != pipeline.Holds {
			out[i].Mend = p.mend(v, visible)
		}
	}
	return out
}

// parts compiles the conjuncts. The text compiled before.
func (c *Condition) parts() []part {
	checked, issues := c.env.Compile(c.text)
	if issues.Err() != nil {
		return nil
	}
	a := checked.NativeRep()
	var out []part
	for _, e := range conjuncts(a.Expr()) {
		alone := ast.NewCheckedAST(ast.NewAST(e, a.SourceInfo()), a.TypeMap(), a.ReferenceMap())
		program, err := c.env.PlanProgram(alone, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil
		}
		text, err := parser.Unparse(e, a.SourceInfo(), parser.WrapOnColumn(1<<20))
		if err != nil {
			text = c.text
		}
		p := part{text: text, offset: startOf(c.text, a, e), program: program, sees: sees(alone)}
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Equals {
			p.equals = e.AsCall().Args()
		}
		out = append(out, p)
	}
	return out
}

// conjuncts are the expressions that the topmost && join, in order.
func conjuncts(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var all []ast.Expr
	for _, arg := range e.AsCall().Args() {
		all = append(all, conjuncts(arg)...)
	}
	return all
}

// sees is what an expression looks at, each once.
func sees(a *ast.AST) []sight {
	var found []sight
	add := func(s sight) {
		if !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	ast.PreOrderVisit(ast.NavigateAST(a), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && strings.Contains(e.AsIdent(), ".") {
			add(sight{e.AsIdent(), keyOf(e)})
		}
	}))
	return found
}

// keyOf is the field of request.headers or request.query that is looked at.
func keyOf(e ast.Expr) string {
	nav, ok := e.(ast.NavigableExpr)
	if !ok || e.AsIdent() != "request.headers" && e.AsIdent() != "request.query" {
		return ""
	}
	parent, ok := nav.Parent()
	if !ok {
		return ""
	}
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName()
	case ast.CallKind:
		call := parent.AsCall()
		if name := call.FunctionName(); (name == operators.Index || name == operators.In) && len(call.Args()) == 2 {
			for _, arg := range call.Args() {
				if s, ok := literal(arg); ok {
					return s
				}
			}
		}
	}
	return ""
}

// see is what was looked at, with values.
func (v *values) see(sights []sight, visible func(string) bool) string {
	out := make([]string, len(sights))
	for i, s := range sights {
		value, _ := v.ResolveName(s.name)
		found, isFields := value.(*fields)
		if !isFields {
			out[i] = s.name + " = " + shown(value)
			continue
		}
		if s.key == "" {
			out[i] = s.name + " (not shown)"
			continue
		}
		out[i] = fmt.Sprintf("%s[%q] %s", s.name, s.key, found.show(s.key, visible))
	}
	return strings.Join(out, ", ")
}

// show is what there is of a field. Credentials are never shown, whatever a
// policy names.
func (f *fields) show(key string, visible func(string) bool) string {
	value, times := f.get(key)
	switch {
	case times == 0:
		return "(absent)"
	case times > 1:
		return "(more than once)"
	case f.query == nil && credential(key), !visible(key):
		return "(not shown)"
	default:
		return "= " + quote(value)
	}
}

// mend is what would let the conjunct hold: for a comparison the value that the
// first variable would need, else the expression itself.
func (p part) mend(v *values, visible func(string) bool) string {
	for i, side := range p.equals {
		if side.Kind() != ast.IdentKind {
			continue
		}
		other := p.equals[1-i]
		if s, ok := literal(other); ok {
			return side.AsIdent() + " = " + quote(s)
		}
		if other.Kind() == ast.IdentKind {
			return side.AsIdent() + " = " + strings.TrimPrefix(v.see([]sight{{name: other.AsIdent()}}, visible), other.AsIdent()+" = ")
		}
	}
	return p.text
}
