package policy

import (
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// payloadLongest bounds what a test or a proof sends, in bytes: as much as a
// WAF profile inspects.
const payloadLongest = 64 << 10

// payload reads what a described request carries: any text, since attacks are
// described as well. Nothing in it is expanded.
func payload(v *Value[string]) reader { return raw(v, 1) }

// absentOr reads a field's value, or the empty text for a field that is absent.
func absentOr(v *Value[string]) reader { return raw(v, 0) }

func raw(v *Value[string], least int) reader {
	read := func(d *decoder, n *yaml.Node) {
		if !d.plain(n) {
			return
		}
		switch {
		case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
			d.reportf(n, CodeShape, "put quotes around it", "a text belongs here, not %s", shape(n))
		case len(n.Value) < least:
			d.reportf(n, CodeForm, "", "the text is empty")
		case len(n.Value) > payloadLongest:
			d.reportf(n, CodeForm, "", "the text is longer than %d bytes", payloadLongest)
		default:
			*v = Value[string]{V: n.Value, Pos: d.pos(n), Set: true}
		}
	}
	return reader{read: read, schema: func() *schema { return &schema{Type: "string", MinLength: least} }}
}

// anyScalar reads a text, a number or a truth as the text it is written as.
func anyScalar(v *Value[string]) reader {
	r := scalar(v, kind[string]{"a text, a number or a truth", []string{"!!str", "!!int", "!!bool"}, parseText, schema{}})
	r.schema = func() *schema {
		return anyOf(&schema{Type: "string", MinLength: 1}, &schema{Type: "integer"}, &schema{Type: "boolean"})
	}
	return r
}

// anything reads what JSON can say.
func anything(into *any) reader {
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if v, ok := d.value(n); ok {
				*into = v
			}
		},
		schema: func() *schema { return &schema{} },
	}
}

// object reads a mapping of anything. An empty one is not nil.
func object(into *map[string]any) reader {
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			v, ok := d.value(n)
			if !ok {
				return
			}
			if *into, ok = v.(map[string]any); !ok {
				d.reportf(n, CodeShape, "write {sub: g-7, scope: search:read}", "claims and their values belong here, not %s", shape(n))
			}
		},
		schema: func() *schema { return &schema{Type: "object", Additional: &schema{}} },
	}
}

// value is a node as encoding/json would have decoded it, except that whole
// numbers are int64. The loader bounds its depth.
func (d *decoder) value(n *yaml.Node) (any, bool) {
	if !d.plain(n) {
		return nil, false
	}
	sound := true
	switch n.Kind {
	case yaml.MappingNode:
		out, seen := make(map[string]any, len(n.Content)/2), map[string]Pos{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !d.key(n.Content[i], "a mapping", seen) {
				sound = false
				continue
			}
			v, ok := d.value(n.Content[i+1])
			out[n.Content[i].Value] = v
			sound = sound && ok
		}
		return out, sound
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, entry := range n.Content {
			v, ok := d.value(entry)
			out[i] = v
			sound = sound && ok
		}
		return out, sound
	default:
		v, err := jsonScalar(n)
		if err != nil {
			d.reportf(n, CodeForm, "", "%v", err)
		}
		return v, err == nil
	}
}

func jsonScalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return parseTruth(n.Value)
	case "!!int":
		v, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number that can be sent", n.Value)
		}
		return v, nil
	case "!!float":
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%q is not a number that JSON has", n.Value)
		}
		return v, nil
	default:
		return n.Value, nil
	}
}
