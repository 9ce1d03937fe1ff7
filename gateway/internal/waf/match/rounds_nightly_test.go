//go:build nightly

package match

const rounds = 4000
