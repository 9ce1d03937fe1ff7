package waf

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"pgregory.net/rapid"

	"portcullis/gateway/internal/pipeline"
)

// The engine splits queries by itself. Of every query that is let in it makes
// the parameters that conditions and upstream know, in their order within a name.
func TestTheEngineReadsAQueryAsEverybodyElse(t *testing.T) {
	i := inspector(t)
	piece := rapid.SampledFrom([]string{"a", "A", "b", "=", "&", "+", "%41", "%2b", "%26", "%3D", "%c3%a9", "%20", "[", "]", ".", "'", "\"", "%3B", "%23", "?", "/", "%2F", "%0a", "{", "|", "%25", "%2541"})
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "query"), "")
		tx := &pipeline.Transaction{Path: "/", Source: netip.IPv6Loopback()}
		if err := tx.ReadQuery(raw); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		engine := i.engine.NewTransaction()
		defer engine.Close()
		engine.ProcessURI(target(tx), "GET", "HTTP/1.1")
		var theirs, ours []string
		for _, m := range engine.(plugintypes.TransactionState).Variables().ArgsGet().FindAll() {
			theirs = append(theirs, m.Key()+"\x00"+m.Value())
		}
		for _, p := range tx.Query.Params() {
			ours = append(ours, p.Name+"\x00"+p.Value)
		}
		slices.Sort(theirs)
		slices.Sort(ours)
		if !slices.Equal(ours, theirs) {
			t.Fatalf("%q is %q to us and %q to the engine", raw, ours, theirs)
		}
		if got := engine.(plugintypes.TransactionState).Variables().QueryString().Get(); got != raw {
			t.Fatalf("%q is %q to the engine", raw, got)
		}
	})
}
