package condition

import (
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// fields are header fields or query parameters by name. One that stands twice
// is an error and not one of the two: the upstream may take the other.
type fields struct {
	name   string // of the variable
	of     map[string][]string
	header bool
}

// get are the values of a name. Header names are lower case here, whatever the
// client wrote.
func (f *fields) get(name string) []string {
	if !f.header {
		return f.of[name]
	}
	if hasUpper(name) {
		return nil
	}
	return f.of[http.CanonicalHeaderKey(name)]
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
	switch values := f.get(string(name)); len(values) {
	case 0:
		return nil, false
	case 1:
		return types.String(values[0]), true
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
	return types.Bool(ok && len(f.get(string(name))) > 0)
}

// Size is how many names there are.
func (f *fields) Size() ref.Val { return types.Int(len(f.of)) }

// Iterator goes through the names, sorted.
func (f *fields) Iterator() traits.Iterator {
	names := slices.Collect(maps.Keys(f.of))
	if f.header {
		for i, name := range names {
			names[i] = strings.ToLower(name)
		}
	}
	slices.Sort(names)
	return types.NewStringList(types.DefaultTypeAdapter, names).Iterator()
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

// Value is the map itself.
func (f *fields) Value() any { return f.of }
