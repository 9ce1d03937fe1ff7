//go:build !nightly

package collect

// rounds is how many random inputs each comparison with the engine takes.
const rounds = 1200
