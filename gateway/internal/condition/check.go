package condition

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"portcullis/gateway/internal/pipeline"
)

// Bounds on one condition. What it costs is estimated when it is compiled, from
// the most a request may hold; nothing is counted while it is evaluated.
const (
	// costMost is in steps of CEL, some 10 to 50 ns each: the dearest condition
	// accepted takes a few milliseconds of the worst request. A usual one costs
	// less than a hundred; one header searched by a regular expression, some
	// thousands; three nested macros over the scopes, millions.
	costMost = 100_000
	// nestedMost is how deep parentheses and calls may nest.
	nestedMost = 50

	textMost   = 8 << 10 // bytes of a header field, a query parameter or a claim
	pathMost   = 4 << 10 // of a path, and of what stands in it
	nameMost   = 256     // of who calls, of a scope, of a host
	shortMost  = 64      // of a method, an address, a route's name
	listMost   = 64      // texts in a declared claim
	scopesMost = 128     // scopes of a token
	fieldsMost = 100     // header fields
	// zoneCost is what a look-up of a time zone costs in steps: it reads a file.
	zoneCost = 2_000
)

// check looks for what CEL takes and a request must not cost or mean.
func check(env *cel.Env, text string, checked *cel.Ast) Mistakes {
	a := checked.NativeRep()
	var mistakes Mistakes
	report := func(e ast.Expr, what, hint string) {
		mistakes = append(mistakes, Mistake{Offset: startOf(text, a, e), What: what, Hint: hint})
	}
	if out := checked.OutputType(); out != cel.BoolType {
		report(a.Expr(), fmt.Sprintf("a condition is true or false, and this is %s %s", article(out), out), "compare it with something")
	}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.CallKind {
			checkCall(e.AsCall(), report)
		}
	}))
	ast.PreOrderVisit(ast.NavigateAST(a), ast.NewExprVisitor(func(e ast.Expr) { checkWhole(e, report) }))
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		report(a.Expr(), "what the condition costs cannot be estimated: "+err.Error(), "")
	} else if estimate.Max > costMost {
		report(a.Expr(), fmt.Sprintf("the condition may cost %d steps for one request, more than %d", estimate.Max, costMost),
			"search shorter texts, or nest fewer of all, exists, map and filter")
	}
	return mistakes
}

func article(t *cel.Type) string {
	if strings.HasPrefix(t.String(), "int") {
		return "an"
	}
	return "a"
}

// checkCall wants literals where a request could otherwise choose what is dear
// or what cannot be checked now.
func checkCall(call ast.CallExpr, report func(e ast.Expr, what, hint string)) {
	args := call.Args()
	switch name := call.FunctionName(); {
	case name == overloads.Matches && len(args) > 0:
		if last := args[len(args)-1]; last.Kind() != ast.LiteralKind {
			report(last, "the regular expression of matches is not a literal", "write it in quotes: whoever chose it could choose what the search costs")
		}
	case slices.Contains(zoned(), name) && len(args) == 1:
		checkZone(args[0], report)
	case name == operators.Index && len(args) == 2 && isHeaders(args[0]):
		checkHeader(args[1], report)
	case name == operators.In && len(args) == 2 && isHeaders(args[1]):
		checkHeader(args[0], report)
	}
}

// checkWhole wants fields asked one by one. As a whole they are equal to nothing,
// also to what they hold: CEL takes the error of a comparison for "not equal".
func checkWhole(e ast.Expr, report func(e ast.Expr, what, hint string)) {
	if e.Kind() != ast.IdentKind || e.AsIdent() != "request.headers" && e.AsIdent() != "request.query" {
		return
	}
	if nav, ok := e.(ast.NavigableExpr); ok {
		if parent, ok := nav.Parent(); ok && asksFields(parent, e) {
			return
		}
	}
	report(e, e.AsIdent()+" is not compared or passed on as a whole", fmt.Sprintf("ask for one of them, %s['name'], or whether it is there, 'name' in %[1]s", e.AsIdent()))
}

// asksFields reports whether an expression looks into the fields that are a part
// of it: has(f.name), f[name], name in f, f.exists(name, ...), size(f).
func asksFields(parent, fields ast.Expr) bool {
	switch parent.Kind() {
	case ast.SelectKind:
		return true
	case ast.ComprehensionKind:
		return parent.AsComprehension().IterRange().ID() == fields.ID()
	case ast.CallKind:
		call := parent.AsCall()
		switch call.FunctionName() {
		case operators.Index:
			return call.Args()[0].ID() == fields.ID()
		case operators.In:
			return call.Args()[1].ID() == fields.ID()
		case overloads.Size:
			return true
		}
	}
	return false
}

// zoned are the functions of a time that take a zone.
func zoned() []string {
	return []string{
		overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDayOfMonth, overloads.TimeGetDate,
		overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes, overloads.TimeGetSeconds, overloads.TimeGetMilliseconds,
	}
}

func checkZone(zone ast.Expr, report func(e ast.Expr, what, hint string)) {
	name, ok := literal(zone)
	if !ok {
		report(zone, "the time zone is not a literal", "write it in quotes: 'Europe/Helsinki'")
		return
	}
	if strings.Contains(name, ":") {
		return // an offset such as +02:00
	}
	if _, err := time.LoadLocation(name); err != nil {
		report(zone, fmt.Sprintf("there is no time zone %q", name), "write one as in 'Europe/Helsinki', or an offset as in '+02:00'")
	}
}

func isHeaders(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == "request.headers"
}

func checkHeader(name ast.Expr, report func(e ast.Expr, what, hint string)) {
	if s, ok := literal(name); ok && hasUpper(s) {
		report(name, fmt.Sprintf("no header field is called %q here", s), fmt.Sprintf("names are in lower case: %q", strings.ToLower(s)))
	}
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// startOf is where an expression begins: at the first of its parts.
func startOf(text string, a *ast.AST, e ast.Expr) int {
	first := len(text)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		r, ok := a.SourceInfo().GetOffsetRange(e.ID())
		if !ok {
			return
		}
		at := offset(text, 1, int(r.Start))
		switch e.Kind() {
		case ast.IdentKind: // which CEL places at the last of its dots
			at -= max(0, strings.LastIndexByte(e.AsIdent(), '.'))
		case ast.CallKind: // at its parenthesis
			at = before(text, at, e.AsCall().FunctionName())
		}
		first = max(0, min(first, at))
	}))
	return first
}

// before is where a name begins that ends at a place, or else the place.
func before(text string, at int, name string) int {
	if strings.HasSuffix(text[:min(at, len(text))], name) {
		return at - len(name)
	}
	return at
}

// uses are the variables of an expression, each once.
func uses(text string, a *ast.AST) []Use {
	var found []Use
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.IdentKind || !strings.Contains(e.AsIdent(), ".") {
			return // the variables of macros have no dot
		}
		if slices.ContainsFunc(found, func(u Use) bool { return u.Name == e.AsIdent() }) {
			return
		}
		found = append(found, Use{e.AsIdent(), startOf(text, a, e)})
	}))
	slices.SortStableFunc(found, func(a, b Use) int { return a.Offset - b.Offset })
	return found
}

// sizes are the most that variables may hold.
type sizes struct{}

// EstimateSize is by variable and type; where CEL knows better it is not asked.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if node.ComputedSize() != nil {
		return nil
	}
	variable := ""
	if path := node.Path(); len(path) > 0 {
		variable = path[0]
	}
	most := uint64(0)
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		most = longest(variable)
	case types.ListKind:
		most = listMost
		if variable == "token.scopes" {
			most = scopesMost
		}
	case types.MapKind:
		most = fieldsMost
		if variable == "request.query" {
			most = pipeline.MaxQueryParams
		}
	default:
		return nil
	}
	size := cost.RangedSizeEstimate(0, most)
	return &size
}

// longest is how long a text of a variable may be, or of what a variable holds.
func longest(variable string) uint64 {
	switch variable {
	case "request.method", "source.ip", "route.name", "route.upstream":
		return shortMost
	case "request.host", "token.sub", "token.client", "token.issuer", "token.actor", "token.scopes", "token.claims":
		return nameMost
	case "request.path":
		return pathMost
	}
	if strings.HasPrefix(variable, "params.") {
		return pathMost
	}
	return textMost
}

// EstimateCallCost adds what CEL takes for nothing.
func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if len(args) == 1 && slices.Contains(zoned(), function) {
		return cost.NewCallEstimate(cost.FixedCostEstimate(zoneCost), nil)
	}
	return nil
}
