//go:build !nightly

package waf

// provenParanoia is the level up to which the proof is compiled and held against
// the engine here; others are loaded without.
const provenParanoia = 1
