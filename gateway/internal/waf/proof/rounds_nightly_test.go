//go:build nightly

package proof

var suiteShare = [5]int{1: 1, 2: 1, 3: 1, 4: 1}

const bodiesShare = 1

const fuzzRounds = 2_500_000

// answerRounds is how many answers the differential fuzz makes, at each of two
// paranoia levels.
const answerRounds = 300_000

// leftOut is what the tests of answers do without.
const leftOut = ""

// answerParanoia are the paranoia levels at which answers are tried.
var answerParanoia = []int{1, 4}

// componentRounds is how many values the shortcuts are tried on.
const componentRounds = 1_000_000

var narrowShare = [5]int{1: 1, 2: 1, 3: 1, 4: 1}

const narrowRounds = 100_000
