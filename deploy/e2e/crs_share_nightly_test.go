//go:build nightly

package e2e

const crsShare = 1

// crsLevels are the paranoia levels at which the proof is switched off and on.
var crsLevels = []int{1, 4}
