// Package body decides whether a request's body is what the service behind
// expects. It holds the stage "validate", which asks a JSON Schema. A body is
// refused where two parsers could read it in two ways: what was validated must
// be what the service acts on.
package body

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxBody is the most a body may have, in bytes, to be validated.
const MaxBody = 1 << 20

// MaxSchema is the most a schema may have, in bytes.
const MaxSchema = 256 << 10

// Schema is a compiled JSON Schema (draft 4 to 2020-12; 2020-12 unless it says
// otherwise). Formats are asserted. It is safe for concurrent use.
type Schema struct {
	name     string
	compiled *jsonschema.Schema
	known    names
}

// NewSchema compiles the schema in text, called name. It may refer to itself
// only: nothing is fetched, neither now nor later.
func NewSchema(name string, text []byte) (*Schema, error) {
	if len(text) > MaxSchema {
		return nil, fmt.Errorf("the schema %s has %d bytes; at most %d are read", name, len(text), MaxSchema)
	}
	doc, err := decode(text, nil)
	if err != nil {
		return nil, fmt.Errorf("the schema %s %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(nowhere{})
	url := "policies:///" + name
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("the schema %s: %s", name, oneLine(err))
	}
	compiled, err := c.Compile(url)
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if found, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			return nil, fmt.Errorf("%s is not a JSON Schema: %s", name, violations(found))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the schema %s: %s", name, oneLine(err))
	}
	known := names{}
	properties(doc, known)
	return &Schema{name, compiled, known}, nil
}

// properties adds the names that a schema, or one within it, gives to members.
func properties(schema any, to names) {
	switch s := schema.(type) {
	case map[string]any:
		if named, ok := s["properties"].(map[string]any); ok {
			for name := range named {
				to.add(name)
			}
		}
		for _, inner := range s {
			properties(inner, to)
		}
	case []any:
		for _, inner := range s {
			properties(inner, to)
		}
	}
}

// nowhere is where schemas are fetched from.
type nowhere struct{}

var errElsewhere = errors.New("a schema may refer only to parts of itself, as in #/$defs/guest")

func (nowhere) Load(string) (any, error) { return nil, errElsewhere }

// oneLine is an error of the library, which may fill many.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// check decodes a body and asks the schema. It returns what is wrong in one
// line, without any value of the body, or "". An error is an *unfit.
func (s *Schema) check(body []byte) (string, error) {
	value, err := decode(body, s.known)
	if err != nil {
		return "", err
	}
	err = s.compiled.Validate(value)
	if err == nil {
		return "", nil
	}
	found, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return "", fmt.Errorf("asking the schema %s: %w", s.name, err)
	}
	return violations(found), nil
}
