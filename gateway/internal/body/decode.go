package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on a JSON text. Validation costs a little for every value, more where a
// schema looks at it by several ways, and numbers are compared exactly: one of a
// million digits would cost as much as a thousand bodies.
const (
	maxDepth  = 64
	maxValues = 10_000
	maxNumber = 64 // bytes
)

// unfit is why a text is refused before any schema is asked. It quotes none of
// its values.
type unfit struct{ what string }

func (u *unfit) Error() string { return u.what }

var errNotJSON = &unfit{"is not valid JSON"}

// decode reads a JSON text as every parser would. What some read differently is
// refused: repeated members, where some take the first and some the last, and
// which Go's encoding/json also sees in names that differ only in case, text that
// is not UTF-8, and numbers that a double cannot hold (RFC 8259 sections 4, 6 and
// 8.1). A name that differs from one of known only in case is refused too: the
// schema would not look at it, and encoding/json fills the field. The error is an
// *unfit.
func decode(text []byte, known names) (any, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errNotJSON
	}
	d := &decoder{from: json.NewDecoder(bytes.NewReader(text)), known: known}
	d.from.UseNumber()
	return d.value(0)
}

// names are those of a schema's properties, by their folded form.
type names map[string][]string

func (n names) add(name string) {
	if key := fold(name); !slices.Contains(n[key], name) {
		n[key] = append(n[key], name)
	}
}

type decoder struct {
	from   *json.Decoder
	known  names
	values int
	path   []string
}

func (d *decoder) value(depth int) (any, error) {
	if d.values++; d.values > maxValues {
		return nil, &unfit{fmt.Sprintf("has more than %d values", maxValues)}
	}
	token, err := d.from.Token()
	if err != nil {
		return nil, errNotJSON
	}
	delim, nested := token.(json.Delim)
	if !nested {
		if n, ok := token.(json.Number); ok && !fits(string(n)) {
			return nil, &unfit{"has a number out of range at " + pointer(d.path)}
		}
		return token, nil
	}
	if depth++; depth > maxDepth {
		return nil, &unfit{fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
	}
	if delim == '[' {
		return d.array(depth)
	}
	return d.object(depth)
}

func (d *decoder) array(depth int) (any, error) {
	list := []any{}
	for d.from.More() {
		d.path = append(d.path, strconv.Itoa(len(list)))
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		list = append(list, v)
	}
	return list, d.end()
}

func (d *decoder) object(depth int) (any, error) {
	members, folded := map[string]any{}, map[string]bool{}
	for d.from.More() {
		token, err := d.from.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errNotJSON
		}
		d.path = append(d.path, name)
		key := fold(name)
		if folded[key] {
			return nil, &unfit{"has a member twice: " + pointer(d.path)}
		}
		folded[key] = true
		if known := d.known[key]; len(known) > 0 && !slices.Contains(known, name) {
			return nil, &unfit{fmt.Sprintf("has a member that differs from %q only in case: %s", known[0], pointer(d.path))}
		}
		if members[name], err = d.value(depth); err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
	}
	return members, d.end()
}

// fold is the same for names that strings.EqualFold takes for one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		} else if r >= utf8.RuneSelf {
			r = least(r)
		}
		return r
	}, name)
}

// least is the first of the characters that differ from r only in case.
func least(r rune) rune {
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	return first
}

// end takes the bracket that closes what was read.
func (d *decoder) end() error {
	if _, err := d.from.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

// fits reports whether a number is one that every parser can hold: to a double,
// 1e-400 is the zero that "exclusiveMinimum": 0 refuses, and 1e400 has no end.
func fits(n string) bool {
	if len(n) > maxNumber {
		return false
	}
	double, err := strconv.ParseFloat(n, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(n), "e")
	return err == nil && (double != 0 || !strings.ContainsAny(mantissa, "123456789"))
}

// maxPointer bounds what is told of where something is, in bytes.
const maxPointer = 80

// pointer is a JSON pointer (RFC 6901) that fits into a message. The names in it
// are the client's: no control character of theirs gets out.
func pointer(path []string) string {
	if len(path) == 0 {
		return "the body"
	}
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		for _, r := range name {
			switch {
			case r == '~':
				b.WriteString("~0")
			case r == '/':
				b.WriteString("~1")
			case strconv.IsPrint(r):
				b.WriteRune(r)
			default:
				b.WriteByte('?')
			}
			if b.Len() > maxPointer {
				return b.String() + "..."
			}
		}
	}
	return b.String()
}
