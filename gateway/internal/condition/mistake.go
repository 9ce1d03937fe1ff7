package condition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Mistake is why an expression is no condition.
type Mistake struct {
	// Offset is where it was made, in bytes of the text.
	Offset int
	// What is the mistake, Hint how to mend it, which may be empty.
	What, Hint string
}

// Mistakes are all that were found in one expression.
type Mistakes []Mistake

// Error is the mistakes, one a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = fmt.Sprintf("%d: %s", m.Offset, m.What)
	}
	return strings.Join(lines, "\n")
}

// explainIssues puts what CEL found into the words of policies.
func explainIssues(env *cel.Env, text string, issues *cel.Issues, s Scope) Mistakes {
	var names map[int64]chain
	if parsed, found := env.Parse(text); found.Err() == nil {
		names = chains(text, parsed.NativeRep())
	}
	var mistakes Mistakes
	for _, issue := range issues.Errors() {
		at := offset(text, issue.Location.Line(), issue.Location.Column())
		message, suggestion, _ := strings.Cut(issue.Message, " (did you mean ")
		if suggestion != "" {
			suggestion = "did you mean " + strings.ReplaceAll(strings.TrimSuffix(suggestion, ")"), "'", `"`)
		}
		if syntax, ok := strings.CutPrefix(message, "Syntax error: "); ok {
			// What follows the first of them is its echo.
			syntax, _, _ = strings.Cut(syntax, " expecting {")
			return Mistakes{{Offset: at, What: "the condition cannot be read: " + syntax, Hint: `conditions are CEL, with == and !=, && and ||: token.client == 'kiosk' && source.ip != '192.0.2.10'`}}
		}
		m := Mistake{Offset: at, What: message, Hint: suggestion}
		if _, ok := strings.CutPrefix(message, "undeclared reference to "); ok {
			m = unknown(text, message, names[issue.ExprID], m, s)
		} else if call, types, ok := strings.Cut(message, "' applied to '"); ok {
			call = strings.Trim(strings.TrimPrefix(call, "found no matching overload for '"), "_")
			m.What = fmt.Sprintf("%q does not take %s", call, strings.TrimSuffix(types, "'"))
			m.Hint = "nothing is converted: compare texts with texts and numbers with numbers"
		}
		mistakes = append(mistakes, m)
	}
	return mistakes
}

// unknown is the mistake of a name that nothing has.
func unknown(text, message string, c chain, m Mistake, s Scope) Mistake {
	if c.name == "" {
		name := strings.Trim(strings.TrimPrefix(message, "undeclared reference to "), "'")
		m.What, m.Offset = fmt.Sprintf("there is no function %q", name), before(text, m.Offset, name)
		return m
	}
	m.What, m.Offset = fmt.Sprintf("there is no variable %q", c.name), c.offset
	family, rest, _ := strings.Cut(c.name, ".")
	_, isClaim := s.Claims[rest]
	near := strings.Contains(m.Hint, fmt.Sprintf(`"%s.`, family))
	switch {
	case family == "token" && isClaim:
		m.What, m.Hint = fmt.Sprintf("has does not take %q", c.name), fmt.Sprintf("write  '%s' in token.claims", rest)
	case variables()[c.name] != nil:
		m.What, m.Hint = fmt.Sprintf("has does not take %q", c.name), "it is always there"
	case near && family == "token" && rest != "" && !strings.Contains(rest, "."):
		m.Hint += fmt.Sprintf(" A claim must be declared at its issuer:  claims: {%s: text}", rest)
	case near:
	case family == "params" && len(s.Params) > 0:
		m.Hint = "the route's path has " + strings.Join(s.Params, ", ")
	case family == "params":
		m.Hint = "the route's path has no parameters"
	case family == "token" && rest != "":
		m.Hint = fmt.Sprintf("if it is a claim, declare it at its issuer:  claims: {%s: text}", rest)
	case m.Hint == "":
		m.Hint = "variables are " + strings.Join(slices.Sorted(maps.Keys(variables())), ", ") + ", params.NAME and token.CLAIM"
	}
	return m
}

// chain is a name with its dots, and where it begins.
type chain struct {
	name   string
	offset int
}

// chains are the names of a parsed expression by the ids of all their nodes.
func chains(text string, a *ast.AST) map[int64]chain {
	found := map[int64]chain{}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if _, part := found[e.ID()]; part {
			return
		}
		var ids []int64
		name, at := "", e
		for at.Kind() == ast.SelectKind {
			ids, name = append(ids, at.ID()), "."+at.AsSelect().FieldName()+name
			at = at.AsSelect().Operand()
		}
		if at.Kind() != ast.IdentKind {
			return
		}
		r, _ := a.SourceInfo().GetOffsetRange(at.ID())
		for _, id := range append(ids, at.ID()) {
			found[id] = chain{at.AsIdent() + name, offset(text, 1, int(r.Start))}
		}
	}))
	return found
}

// offset is a place as CEL counts it (lines from 1, columns from 0, in
// characters) in bytes.
func offset(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	for i := range text[at:] {
		if column == 0 {
			return at + i
		}
		column--
	}
	return len(text)
}
