//go:build !nightly

package e2e

// crsShare is of how many cases of the Core Rule Set's tests one is run: every
// tenth, in the order of their files.
const crsShare = 10

// crsLevels are the paranoia levels at which the proof is switched off and on.
var crsLevels = []int{1}
