//go:build !nightly

package proof

// suiteShare is of how many requests of the suite one is tried, by paranoia
// level; 0 is none.
var suiteShare = [5]int{1: 30, 2: 120}

// bodiesShare is of how many multipart and XML requests of the suite one is
// tried.
const bodiesShare = 12

// fuzzRounds is how many requests the differential fuzz makes.
const fuzzRounds = 300

// answerRounds is how many answers the differential fuzz makes.
const answerRounds = 80

// leftOut is what the tests of answers do without: the rule with thousands of
// phrases takes seconds to compile under the race detector.
const leftOut = "SecRuleRemoveById 953100"

// answerParanoia are the paranoia levels at which answers are tried.
var answerParanoia = []int{1}

// componentRounds is how many values the shortcuts are tried on.
const componentRounds = 1000

// narrowShare and narrowRounds are the same for requests that are not clean: the
// engine is asked twice.
var narrowShare = [5]int{1: 120, 2: 400}

const narrowRounds = 120
