//go:build nightly

package e2e

func ways() []way {
	return []way{{"with a mouse", true, true}, {"without scripts", false, true}, {"with a keyboard alone", true, false}}
}
