//go:build !nightly

package waf

// provenParanoia is the level up to which the proof is compiled and held against
// the engine here; others are loaded without.
const provenParanoia = 1

// patchRounds is how many requests are held against a profile with patches, and
// patchSets how many sets of random rules.
const patchRounds, patchSets = 200, 12
