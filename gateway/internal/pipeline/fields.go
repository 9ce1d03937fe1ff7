package pipeline

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Field is a header field and its value.
type Field struct{ Name, Value string }

// Fields are the header fields that a policy sets and removes. The zero value
// changes nothing.
type Fields struct {
	set    []fieldValues
	remove []string
}

type fieldValues struct {
	name   string
	values []string // shared by all messages; nobody may change it
}

// NewFields compiles them. An error names the field and never quotes its value,
// which may be a secret. Refused are names and values that are no field of HTTP,
// a line break above all (a value would become a field of its own), and what
// belongs to the connection or to the gateway.
func NewFields(set []Field, remove []string) (Fields, error) {
	var f Fields
	for _, s := range set {
		name, err := fieldName(s.Name)
		if err != nil {
			return Fields{}, err
		}
		if !plainValue(s.Value) {
			return Fields{}, fmt.Errorf("the value of the field %s holds a character that no field may hold; write printable ASCII, without line breaks", name)
		}
		f.set = append(f.set, fieldValues{name, []string{s.Value}})
	}
	for _, r := range remove {
		name, err := fieldName(r)
		if err != nil {
			return Fields{}, err
		}
		f.remove = append(f.remove, name)
	}
	return f, nil
}

// fieldName is a name as net/http spells it.
func fieldName(name string) (string, error) {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return "", fmt.Errorf("%q is not the name of a header field", name)
	case HopByHop(canonical) || canonical == "Content-Length" || canonical == "Host":
		return "", fmt.Errorf("the field %s belongs to the connection; a policy can neither set nor remove it", canonical)
	case canonical == "X-Request-Id" || strings.HasPrefix(canonical, "Portcullis-"):
		return "", fmt.Errorf("the field %s is the gateway's own; a policy can neither set nor remove it", canonical)
	}
	return canonical, nil
}

// plainValue accepts printable ASCII and tabs: programs disagree about any other
// byte.
func plainValue(v string) bool {
	for i := 0; i < len(v); i++ {
		if (v[i] < ' ' || v[i] > '~') && v[i] != '\t' {
			return false
		}
	}
	return true
}

// Empty reports whether there is nothing to set or remove.
func (f Fields) Empty() bool { return len(f.set) == 0 && len(f.remove) == 0 }

// Remove takes away what is removed.
func (f Fields) Remove(h http.Header) {
	for _, name := range f.remove {
		delete(h, name)
	}
}

// Set puts what is set in place of what stands there.
func (f Fields) Set(h http.Header) {
	for _, s := range f.set {
		h[s.name] = s.values
	}
}

// Names reports whether a field is set or removed.
func (f Fields) Names(name string) bool {
	return slices.Contains(f.remove, name) || slices.ContainsFunc(f.set, func(s fieldValues) bool { return s.name == name })
}
