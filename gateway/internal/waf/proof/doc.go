// Package proof shows of most requests that no rule of a policy would have an
// effect on them, without asking the engine.
//
// From the text that the engine loads, each rule is compiled into a condition
// that it needs to have an effect. A request is walked through once; no
// condition met means clean: the engine would deny nothing, give no score and
// log nothing. Anything else, and anything that is not understood, is unsure,
// and the engine has to be asked. So mistakes on one side cost time only. On
// the other they would let attacks pass; each step here leans that way, and the
// tests compare it with the engine.
//
// Rules that set things up (paranoia levels, thresholds, scores) match every
// request or none. They are evaluated at load, on this ground: as long as no
// rule with an effect has matched, the variables of a transaction are what they
// are for every other request. It holds because a rule that would change them
// makes a request unsure.
//
// Proved are the phases of a request and, where the policy looks at answers,
// those of the answer to a request that is clean. Both sides must be told of the
// same: the same target, the same header fields in the same order, the same body.
package proof
