//go:build nightly

package waf

// provenParanoia is the level up to which the proof is held against the engine.
const provenParanoia = maxParanoia
