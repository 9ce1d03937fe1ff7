//go:build race

package token_test

// The race detector makes the flood fifty times as slow; the shares are the same.
const floodEntries = 512
