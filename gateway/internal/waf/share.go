//go:build !race

package waf

// selfTestShare is of how many requests of the self-test one is tried.
const selfTestShare = 1
