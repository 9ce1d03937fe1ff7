//go:build nightly

package waf

// provenParanoia is the level up to which the proof is held against the engine.
const provenParanoia = maxParanoia

// patchRounds is how many requests are held against a profile with patches, and
// patchSets how many sets of random rules.
const patchRounds, patchSets = 20_000, 1500
