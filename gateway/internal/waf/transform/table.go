package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// readBestFit has the engine decode every %uXXXX there is.
func readBestFit() (*bestFit, error) {
	decode, err := engineChain("urlDecodeUni")
	if err != nil {
		return nil, err
	}
	var all strings.Builder
	for code := range 1 << 16 {
		fmt.Fprintf(&all, "%%u%04x", code)
	}
	folded, err := decode(all.String())
	if err != nil {
		return nil, err
	}
	table := new(bestFit)
	if copy(table[:], folded) != len(table) || len(folded) != len(table) {
		return nil, fmt.Errorf("the WAF engine folds the 65536 characters of urlDecodeUni to %d bytes", len(folded))
	}
	return table, nil
}

// engineChain returns the engine's own reading of a chain of transformations: a
// rule that captures whatever it sees shows it.
func engineChain(names ...string) (func(string) (string, error), error) {
	rule := "SecRuleEngine On\nSecRule ARGS_GET:v \"@rx (?s)^(.*)$\" \"id:1,phase:1,pass,nolog,capture"
	for _, name := range names {
		rule += ",t:" + name
	}
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(rule + "\"\n"))
	if err != nil {
		return nil, fmt.Errorf("asking the WAF engine about its transformations %q: %w", names, err)
	}
	return func(s string) (string, error) {
		tx := waf.NewTransaction()
		tx.AddGetRequestArgument("v", s)
		tx.ProcessRequestHeaders()
		state, ok := tx.(plugintypes.TransactionState)
		if !ok {
			return "", errors.New("the WAF engine does not show the state of a transaction")
		}
		seen := state.Variables().TX().Get("1")
		if len(seen) != 1 {
			return "", errors.New("the WAF engine does not show what it captured")
		}
		return strings.Clone(seen[0]), tx.Close()
	}, nil
}
