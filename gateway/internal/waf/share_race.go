//go:build race

package waf

// A gateway under the race detector, which nobody serves with, is ten times
// slower and started by the hundred; the tests of this package run the
// self-test whole.
const selfTestShare = 64
