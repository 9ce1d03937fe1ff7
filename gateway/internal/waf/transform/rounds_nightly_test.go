//go:build nightly

package transform

// rounds is how many random inputs each comparison with the engine takes.
const rounds = 20000
