//go:build !nightly

package e2e

// spellings is how many random spellings the gateway is sent.
const spellings = 10_000
