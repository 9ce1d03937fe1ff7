package condition

import (
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// texts is a list of texts that is asked what it contains without an
// allocation; all else it leaves to CEL's own list.
type texts struct{ list []string }

func (t *texts) lister() traits.Lister {
	return types.NewStringList(types.DefaultTypeAdapter, t.list)
}

// Contains is x in t.
func (t *texts) Contains(x ref.Val) ref.Val {
	s, ok := x.(types.String)
	return types.Bool(ok && slices.Contains(t.list, string(s)))
}

// Size is how many there are.
func (t *texts) Size() ref.Val { return types.Int(len(t.list)) }

// Add is t + other.
func (t *texts) Add(other ref.Val) ref.Val { return t.lister().Add(other) }

// Get is t[index].
func (t *texts) Get(index ref.Val) ref.Val { return t.lister().Get(index) }

// Iterator goes through the texts in order.
func (t *texts) Iterator() traits.Iterator { return t.lister().Iterator() }

// Equal is t == other.
func (t *texts) Equal(other ref.Val) ref.Val { return t.lister().Equal(other) }

// ConvertToNative is the list as a Go type.
func (t *texts) ConvertToNative(to reflect.Type) (any, error) {
	return t.lister().ConvertToNative(to)
}

// ConvertToType is the list as another CEL type.
func (t *texts) ConvertToType(to ref.Type) ref.Val { return t.lister().ConvertToType(to) }

// Type is list.
func (*texts) Type() ref.Type { return types.ListType }

// Value is the list itself.
func (t *texts) Value() any { return t.list }
