package pipeline

import (
	"net/http"
	"slices"
)

// Method is the method that rules are asked about: GET for a HEAD request that
// a route without HEAD serves as its GET. Otherwise what is denied to GET would
// be open to HEAD, and a rule that allows GET would break HEAD.
func (tx *Transaction) Method() string {
	if tx.Request.Method == http.MethodHead && tx.Route != nil && !slices.Contains(tx.Route.Methods, http.MethodHead) {
		return http.MethodGet
	}
	return tx.Request.Method
}
