//go:build !nightly

package match

// rounds is how many values each pattern of the Core Rule Set is tried on.
const rounds = 8
