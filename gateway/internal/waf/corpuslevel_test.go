//go:build !race && !nightly

package waf

// corpusParanoia is the level up to which the corpus is run here; nightly runs go
// to the end.
const corpusParanoia = 2
