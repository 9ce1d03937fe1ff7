//go:build !nightly

package e2e

// kills is how often the token service is killed in the middle of its work.
const kills = 3
