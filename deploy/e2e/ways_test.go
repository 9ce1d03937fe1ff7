//go:build !nightly

package e2e

// ways are two of those in which a guest books; nightly there are all. A mouse
// without scripts is the least that a browser does.
func ways() []way {
	return []way{{"without scripts", false, true}, {"with a keyboard alone", true, false}}
}
