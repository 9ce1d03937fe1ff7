//go:build !nightly

package e2e

// explainedMost is how many requests of a gateway are explained at its end.
const explainedMost = 500
