//go:build nightly

package proof

var suiteShare = [5]int{1: 1, 2: 1, 3: 1, 4: 1}

const fuzzRounds = 2_500_000

// componentRounds is how many values the shortcuts are tried on.
const componentRounds = 1_000_000
