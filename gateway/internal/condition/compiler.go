package condition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"

	"portcullis/authserver/token"
)

// Compiler compiles conditions. It is safe for concurrent use.
type Compiler struct {
	base *cel.Env
	pool *sync.Pool

	mu   sync.Mutex
	envs map[string]*cel.Env // by Scope
}

// Scope is what the conditions of a route may speak of beside what every
// request has.
type Scope struct {
	// Params are the path parameters of the route's pattern.
	Params []string
	// Claims are the declared claims of all issuers.
	Claims map[string]token.ClaimType
}

// Key is the same for scopes that hold the same.
func (s Scope) Key() string {
	var key strings.Builder
	for _, name := range slices.Sorted(slices.Values(s.Params)) {
		fmt.Fprintf(&key, "%q ", name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Claims)) {
		fmt.Fprintf(&key, "%q:%s ", name, s.Claims[name])
	}
	return key.String()
}

// variables are those of every request, flat and typed: token.sub is one name
// and no look-up in a map.
func variables() map[string]*cel.Type {
	text, fields := cel.StringType, cel.MapType(cel.StringType, cel.StringType)
	return map[string]*cel.Type{
		"request.method": text, "request.path": text, "request.host": text, "request.content_type": text,
		"request.size": cel.IntType, "request.time": cel.TimestampType, "request.headers": fields, "request.query": fields,
		"source.ip": text,
		"token.sub": text, "token.client": text, "token.issuer": text, "token.actor": text,
		"token.scopes": cel.ListType(text), "token.claims": cel.ListType(text),
		"route.name": text, "route.upstream": text,
	}
}

// New returns a compiler.
func New() (*Compiler, error) {
	options := []cel.EnvOption{
		cel.StdLib(),
		cel.DefaultUTCTimeZone(true),
		cel.EnableMacroCallTracking(), // explanations show macros as they were written
		cel.ParserRecursionLimit(nestedMost),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
	}
	for name, kind := range variables() {
		options = append(options, cel.Variable(name, kind))
	}
	base, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	return &Compiler{base: base, pool: &sync.Pool{New: func() any { return &values{} }}, envs: map[string]*cel.Env{}}, nil
}

// Compile compiles an expression. The error is Mistakes.
func (c *Compiler) Compile(text string, s Scope) (*Condition, error) {
	env, err := c.env(s)
	if err != nil {
		return nil, Mistakes{{What: err.Error()}}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, explainIssues(env, text, issues, s)
	}
	if mistakes := check(env, text, checked); len(mistakes) > 0 {
		return nil, mistakes
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, Mistakes{{What: "the condition cannot be compiled: " + err.Error()}}
	}
	a := checked.NativeRep()
	made := &Condition{text: text, env: env, program: program, pool: c.pool, uses: uses(text, a), reads: reads(sees(a))}
	for _, e := range conjuncts(a.Expr()) {
		made.offsets = append(made.offsets, startOf(text, a, e))
	}
	made.asked = sync.OnceValue(made.parts)
	return made, nil
}

// env is the environment of a scope; most routes share theirs with many.
func (c *Compiler) env(s Scope) (*cel.Env, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := s.Key()
	if env := c.envs[key]; env != nil {
		return env, nil
	}
	var options []cel.EnvOption
	for _, name := range s.Params {
		options = append(options, cel.Variable("params."+name, cel.StringType))
	}
	fixed := variables()
	for name, kind := range s.Claims {
		variable := "token." + name
		if fixed[variable] != nil {
			return nil, fmt.Errorf("the claim %q cannot be declared: %s is something else in conditions", name, variable)
		}
		options = append(options, cel.Variable(variable, celType(kind)))
	}
	env, err := c.base.Extend(options...)
	if err != nil {
		return nil, err
	}
	c.envs[key] = env
	return env, nil
}

func celType(t token.ClaimType) *cel.Type {
	switch t {
	case token.ClaimTexts:
		return cel.ListType(cel.StringType)
	case token.ClaimNumber:
		return cel.IntType
	case token.ClaimTruth:
		return cel.BoolType
	default:
		return cel.StringType
	}
}
