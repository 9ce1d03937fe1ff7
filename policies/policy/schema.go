package policy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// schema is a JSON Schema (draft 2020-12), with the keywords that editors act
// on. It takes all that Load takes, and refuses what a shape alone can tell.
type schema struct {
	Dialect       string             `json:"$schema,omitempty"`
	Title         string             `json:"title,omitempty"`
	Description   string             `json:"description,omitempty"`
	Type          string             `json:"type,omitempty"`
	Enum          any                `json:"enum,omitempty"`
	Const         int                `json:"const,omitempty"`
	Pattern       string             `json:"pattern,omitempty"`
	MinLength     int                `json:"minLength,omitempty"`
	Items         *schema            `json:"items,omitempty"`
	MinItems      int                `json:"minItems,omitempty"`
	UniqueItems   bool               `json:"uniqueItems,omitempty"`
	Properties    map[string]*schema `json:"properties,omitempty"`
	Required      []string           `json:"required,omitempty"`
	MaxProperties int                `json:"maxProperties,omitempty"`
	MinProperties int                `json:"minProperties,omitempty"`
	// Additional is false, or the schema of the values of any key.
	Additional any       `json:"additionalProperties,omitempty"`
	AnyOf      []*schema `json:"anyOf,omitempty"`
}

// Schema is the JSON Schema of a policy file, for editors: it completes keys,
// underlines what cannot stand, and explains what is pointed at. It says less
// than Check, which knows the other files as well.
func Schema() []byte {
	d := &decoder{doc: &Document{}}
	s := d.fileTable(new(Value[int]), new(Value[string])).schema()
	s.Dialect = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "A policy file of Portcullis"
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic("policy: the schema cannot be written: " + err.Error()) // it is made of texts and numbers
	}
	return out.Bytes()
}

// schema is the schema of a mapping that has the table's keys and no others.
func (t table) schema() *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
	for _, f := range t.keys {
		p := f.reader.schema()
		p.Description = strings.ReplaceAll(f.doc, "`", "")
		s.Properties[f.key] = p
		if f.required {
			s.Required = append(s.Required, f.key)
		}
	}
	return s
}

func anyOf(some ...*schema) *schema { return &schema{AnyOf: some} }
