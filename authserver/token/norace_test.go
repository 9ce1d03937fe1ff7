//go:build !race

package token_test

const floodEntries = 16384 // the cache's usual size
