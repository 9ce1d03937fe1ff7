package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// textLongest bounds one value in bytes: the longest sensible one is a reason.
const textLongest = 1024

// kind is a kind of scalar: what people call it, what YAML may take it for, how
// it is read, and what an editor is told. The tags keep the text "5" from being
// a number and the number 5 from being a name.
type kind[T any] struct {
	want   string
	tags   []string
	parse  func(string) (T, error)
	schema schema
}

// scalar reads one value.
func scalar[T any](into *Value[T], k kind[T]) reader {
	read := func(d *decoder, n *yaml.Node) {
		if !d.scalar(n, k.want, k.tags...) {
			return
		}
		if strings.Contains(n.Value, "${") {
			d.reportf(n, CodeEnvironment, "${env:NAME} works in an issuer's url, jwks, ca and introspection, an upstream's endpoints and a client's redirects and post_logout; ${file:PATH} in request: {set: ...} and in introspection: {secret: ...}",
				"%q cannot be taken from the environment", n.Value)
			return
		}
		if v, ok := accept(d, n, n.Value, k.parse); ok {
			*into = Value[T]{V: v, Pos: d.pos(n), Set: true}
		}
	}
	return reader{read: read, schema: k.describe}
}

// scalar tells whether a node is a plain scalar of one of these tags, and reports
// one that is not.
func (d *decoder) scalar(n *yaml.Node, want string, tags ...string) bool {
	if !d.plain(n) {
		return false
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
		d.reportf(n, CodeShape, "", "%s belongs here, not %s", want, shape(n))
		return false
	}
	return true
}

func (k kind[T]) describe() *schema {
	s := k.schema
	return &s
}

// accept parses a value and reports why it cannot be.
func accept[T any](d *decoder, n *yaml.Node, value string, parse func(string) (T, error)) (T, bool) {
	v, err := parse(value)
	if err != nil {
		d.reportf(n, CodeForm, "", "%v", err)
		return v, false
	}
	return v, true
}

func text(v *Value[string]) reader {
	return scalar(v, kind[string]{"a text", []string{"!!str"}, parseText, schema{Type: "string", MinLength: 1}})
}

// word reads one of a few words.
func word(v *Value[string], words ...string) reader {
	r := text(v)
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if r.read(d, n); !v.Set || slices.Contains(words, v.V) {
				return
			}
			d.choice(v.Pos, fmt.Sprintf("%q is not known here", v.V), didYouMean(v.V, words), "write "+oneOf(words))
		},
		schema: func() *schema { return &schema{Enum: words} },
	}
}

// oneOf is a few words as a person would list them.
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// choice reports a value that is none of a few. It could be read, so that what
// else is wrong is told too.
func (d *decoder) choice(at Pos, what, why, hint string) {
	m := d.doc.Excerpt(At(at, CodeChoice, what, hint))
	m.Why = why
	d.mistakes = append(d.mistakes, m)
}

// words reads a list of some of a few words.
func words(vs *[]Value[string], known ...string) reader {
	return listOf(vs, false, func(v *Value[string]) reader { return word(v, known...) })
}

// oneOrMore reads one scalar, or a list of them.
func oneOrMore(vs *[]Value[string], read func(*Value[string]) reader) reader {
	several, one := listOf(vs, false, read), read(new(Value[string]))
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if n.Kind == yaml.SequenceNode {
				several.read(d, n)
				return
			}
			var v Value[string]
			if read(&v).read(d, n); v.Set {
				*vs = []Value[string]{v}
			}
		},
		schema: func() *schema { return anyOf(one.schema(), several.schema()) },
	}
}

func texts(vs *[]Value[string]) reader { return listOf(vs, false, text) }

// textsOrNone reads a list that may be empty, which says something there.
func textsOrNone(vs *[]Value[string]) reader { return listOf(vs, true, text) }

// listOf reads a list of values without repeats.
func listOf[T comparable](vs *[]Value[T], mayBeEmpty bool, of func(*Value[T]) reader) reader {
	read := func(d *decoder, n *yaml.Node) {
		seen := map[T]bool{}
		d.items(n, mayBeEmpty, func(d *decoder, entry *yaml.Node) {
			var v Value[T]
			of(&v).read(d, entry)
			if !v.Set {
				return
			}
			if seen[v.V] {
				d.reportf(entry, CodeDuplicate, "leave one of them out", "%q stands twice in this list", fmt.Sprint(v.V))
				return
			}
			seen[v.V] = true
			*vs = append(*vs, v)
		})
	}
	return reader{read: read, schema: func() *schema {
		s := &schema{Type: "array", UniqueItems: true, Items: of(new(Value[T])).schema()}
		if !mayBeEmpty {
			s.MinItems = 1
		}
		return s
	}}
}

func truth(v *Value[bool]) reader {
	return scalar(v, kind[bool]{"true or false", []string{"!!bool"}, parseTruth, schema{Type: "boolean"}})
}

func number(v *Value[int]) reader {
	return scalar(v, kind[int]{"a whole number", []string{"!!int"}, parseCount, schema{Type: "integer"}})
}

// Values with a unit are refused as values, not as shapes, where somebody
// forgot the unit: 3 is a number to YAML.
func units() []string { return []string{"!!str", "!!int", "!!float"} }

func duration(v *Value[time.Duration]) reader {
	return scalar(v, kind[time.Duration]{"a duration such as 3s", units(), parseDuration, schema{Type: "string", Pattern: "^" + durationForm + "$"}})
}

func size(v *Value[int64]) reader {
	return scalar(v, kind[int64]{"a size such as 64KiB", units(), parseSize, schema{Type: "string", Pattern: "^[0-9]+(B|KiB|MiB|GiB)$"}})
}

func percent(v *Value[int]) reader {
	return scalar(v, kind[int]{"a percentage such as 50%", units(), parsePercent, schema{Type: "string", Pattern: "^[0-9]+%$"}})
}

func rate(v *Value[Rate]) reader {
	return scalar(v, kind[Rate]{"a rate such as 600/1m", units(), parseRate, schema{Type: "string", Pattern: "^[0-9]+/" + durationForm + "$"}})
}

// durationForm is what time.ParseDuration takes.
const durationForm = `[-+]?(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+`

func parseTruth(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

func parseText(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", fmt.Errorf("the text is empty")
	case len(s) > textLongest:
		return "", fmt.Errorf("the text is longer than %d bytes", textLongest)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("the text holds a line break or another control character")
	}
	return s, nil
}

// parseCount takes decimal digits alone: YAML's 0x10, 010 and 1_000 read
// differently in different heads.
func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%q is not a whole number written in digits", s)
	}
	return n, nil
}

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write 500ms, 3s, 2m or 1h", s)
	}
	t, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 500ms, 3s, 2m or 1h", s)
	}
	return t, nil
}

func parseSize(s string) (int64, error) {
	units := []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != digits || n > (1<<40)/unit.bytes || n < 0 {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size: write 512B, 64KiB or 1MiB", s)
}

func parsePercent(s string) (int, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := parseCount(digits)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a percentage: write 50%%", s)
	}
	return n, nil
}

func parseRate(s string) (Rate, error) {
	count, per, ok := strings.Cut(s, "/")
	n, err := parseCount(count)
	if !ok || err != nil {
		return Rate{}, fmt.Errorf("%q is not a rate: write 600/1m for 600 requests a minute", s)
	}
	window, err := parseDuration(per)
	if err != nil {
		return Rate{}, fmt.Errorf("%q is not a rate: after the slash stands a duration, as in 600/1m", s)
	}
	return Rate{n, window}, nil
}
