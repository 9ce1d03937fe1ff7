//go:build race

package upstream

// raceEnabled: the race detector makes sync.Pool forget on purpose.
const raceEnabled = true
