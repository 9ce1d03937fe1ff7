//go:build !nightly

package e2e

// streamedMost is how many bytes are sent each way.
const streamedMost = 64 << 20
