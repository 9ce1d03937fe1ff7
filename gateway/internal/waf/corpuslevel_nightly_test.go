//go:build !race && nightly

package waf

// corpusParanoia is the level up to which the corpus is run.
const corpusParanoia = maxParanoia
