//go:build !race

package trial

// One in so many mutations is tried: each.
const oneIn = 1
