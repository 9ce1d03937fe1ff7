package waf

import (
	"strings"
	"sync"
	"unsafe"

	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// apartRules stand before all others of a phase and match nothing. What they are
// for, their operator does: the engine remembers what transformations made of a
// value by where the name of the value lies in memory, and by its place among
// the others, which is another for each rule, for it keeps names in a map. Values
// that share a name share its bytes too. So one was taken for another by chance,
// and an attack in q=<attack>&q=1&a=1&b=2 was missed now and then, in a form, JSON,
// cookies or fields of the header.
const apartRules = `SecRule REQUEST_METHOD "@apart" "id:100002,phase:1,pass,t:none,nolog"
SecRule REQUEST_METHOD "@apart" "id:100003,phase:2,pass,t:none,nolog"
SecRule REQUEST_METHOD "@apart" "id:100004,phase:3,pass,t:none,nolog"
SecRule REQUEST_METHOD "@apart" "id:100005,phase:4,pass,t:none,nolog"`

// registerApart makes the operator known to the engine, which keeps operators for
// the whole process.
var registerApart = sync.OnceFunc(func() {
	plugins.RegisterOperator("apart", func(plugintypes.OperatorOptions) (plugintypes.Operator, error) { return apart{}, nil })
})

// apart gives each value a name of its own bytes.
type apart struct{}

// Evaluate is the engine's: it never matches.
func (apart) Evaluate(tx plugintypes.TransactionState, _ string) bool {
	v := tx.Variables()
	for _, m := range []collection.Map{
		v.RequestHeaders(), v.RequestCookies(), v.ArgsGet(), v.ArgsPost(), v.ArgsPath(), v.RequestXML(),
		v.MultipartPartHeaders(), v.MultipartName(), v.MultipartFilename(), v.Files(), v.FilesNames(), v.FilesSizes(),
		v.ResponseHeaders(), v.ResponseArgs(),
	} {
		separate(m)
	}
	return false
}

// separate takes values that share the bytes of a name out and puts them back in
// their order, each with a copy of its own.
func separate(m collection.Map) {
	all := m.FindAll()
	seen, shared := make(map[*byte]bool, len(all)), false
	for _, one := range all {
		at := unsafe.StringData(one.Key())
		shared = shared || seen[at]
		seen[at] = true
	}
	if !shared {
		return
	}
	for _, one := range all {
		m.Remove(one.Key())
	}
	nameless := make([]byte, len(all))
	for n, one := range all {
		name := strings.Clone(one.Key())
		if name == "" {
			// There is nothing to copy, but a place to point to.
			name = unsafe.String(&nameless[n], 0)
		}
		m.Add(name, one.Value())
	}
}
