package body

import (
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// shown is how many violations are told; the next are seen once these are mended.
const shown = 3

// violations says in one line what is wrong with a body: where, and what the
// schema wants there. It quotes none of its values; they may be secrets, and
// the answer may end in a page.
func violations(e *jsonschema.ValidationError) string {
	var all []string
	collect(e, &all)
	slices.Sort(all) // the library walks members in random order
	all = slices.Compact(all)
	more := ""
	if n := len(all) - shown; n > 0 {
		all, more = all[:shown], "; and "+strconv.Itoa(n)+" more"
	}
	return strings.Join(all, "; ") + more
}

// collect lists the leaves of the tree, which are what is wrong; of a choice
// that none fits only the choice itself, as its leaves contradict each other.
func collect(e *jsonschema.ValidationError, all *[]string) {
	at := pointer(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		*all = append(*all, at+" fits none, or not just one, of what it may be")
	case *kind.Required:
		for _, name := range k.Missing {
			*all = append(*all, at+" lacks "+strconv.Quote(name))
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			*all = append(*all, pointer(append(slices.Clip(e.InstanceLocation), name))+" is not known here")
		}
	case *kind.FalseSchema:
		*all = append(*all, at+" is not known here")
	case *kind.Type:
		*all = append(*all, at+" must be of type "+strings.Join(k.Want, " or "))
	case *kind.Format:
		*all = append(*all, at+" must have the format "+k.Want)
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				collect(cause, all)
			}
			return
		}
		keyword := e.ErrorKind.KeywordPath()
		if len(keyword) == 0 {
			*all = append(*all, at+" does not fit")
			return
		}
		*all = append(*all, at+" breaks "+keyword[len(keyword)-1])
	}
}
