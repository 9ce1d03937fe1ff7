package condition

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"portcullis/gateway/internal/pipeline"
)

// fields are header fields or query parameters by name. One that stands twice
// is an error and not one of the two: the upstream may take the other.
type fields struct {
	name   string // of the variable
	header http.Header
	query  *pipeline.Query // nil for header fields
}

// get is the value of a name, and how often the name stands there. Header names
// are lower case here, whatever the client wrote.
func (f *fields) get(name string) (value string, times int) {
	if f.query != nil {
		return f.query.Get(name)
	}
	if hasUpper(name) {
		return "", 0
	}
	values := f.header[http.CanonicalHeaderKey(name)]
	if len(values) > 0 {
		value = values[0]
	}
	return value, len(values)
}

// names are sorted, each once.
func (f *fields) names() []string {
	var names []string
	if f.query != nil {
		for _, p := range f.query.Params() {
			names = append(names, p.Name)
		}
	}
	for name := range f.header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func hasUpper(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' })
}

// Find is f[key].
func (f *fields) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	switch value, times := f.get(string(name)); times {
	case 0:
		return nil, false
	case 1:
		return types.String(value), true
	default:
		return types.NewErr("%s has %q more than once", f.name, string(name)), false
	}
}

// Get is f[key], or an error.
func (f *fields) Get(key ref.Val) ref.Val {
	value, found := f.Find(key)
	if value == nil && !found {
		return types.NewErr("%s has none of that name", f.name)
	}
	return value
}

// Contains is key in f, also when it stands twice.
func (f *fields) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.False
	}
	_, times := f.get(string(name))
	return types.Bool(times > 0)
}

// Size is how many names there are.
func (f *fields) Size() ref.Val { return types.Int(len(f.names())) }

// Iterator goes through the names, sorted.
func (f *fields) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, f.names()).Iterator()
}

// Equal is an error: two maps are not compared.
func (f *fields) Equal(other ref.Val) ref.Val { return types.MaybeNoSuchOverloadErr(other) }

// ConvertToNative fails: nothing needs it.
func (f *fields) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New(f.name + " has no Go value")
}

// ConvertToType is an error except for type(f).
func (f *fields) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return types.MapType
	}
	return types.NewErr("%s cannot be converted", f.name)
}

// Type is map.
func (*fields) Type() ref.Type { return types.MapType }

// Value is what CEL may take for the value; nothing asks for it.
func (f *fields) Value() any { return f }
