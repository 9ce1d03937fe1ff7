//go:build !nightly

package proof

// suiteShare is of how many requests of the suite one is tried, by paranoia
// level; 0 is none.
var suiteShare = [5]int{1: 30, 2: 120}

// fuzzRounds is how many requests the differential fuzz makes.
const fuzzRounds = 300

// componentRounds is how many values the shortcuts are tried on.
const componentRounds = 1000
