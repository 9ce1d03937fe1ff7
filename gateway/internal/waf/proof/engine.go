package proof

import (
	"fmt"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// engineFixed asks the engine for the values of fixedVariables before anything
// went wrong. A variable it does not know has none.
func engineFixed() (map[string]string, error) {
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives("SecRuleEngine On"))
	if err != nil {
		return nil, fmt.Errorf("asking the WAF engine about its variables: %w", err)
	}
	tx := waf.NewTransaction()
	defer func() { _ = tx.Close() }()
	state, ok := tx.(plugintypes.TransactionState)
	if !ok {
		return nil, fmt.Errorf("the WAF engine does not show the state of a transaction")
	}
	fixed := map[string]string{}
	for _, name := range fixedVariables {
		v, err := variables.Parse(name)
		if err != nil {
			continue
		}
		if single, ok := state.Collection(v).(collection.Single); ok {
			fixed[name] = single.Get()
		}
	}
	return fixed, nil
}
