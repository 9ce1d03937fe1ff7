//go:build race

package trial

// One in so many mutations is tried, to look for races: each takes
// seven times as long as without the race detector. `make test` tries all of them
// without it.
const oneIn = 10
