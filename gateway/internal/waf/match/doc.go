// Package match answers fast whether a value can match any of several hundred
// patterns, and exactly whether it matches one of them.
//
// Three parts take turns, each cheaper than what it saves:
//
//   - A Mask tells which kinds of bytes a value has, for one look at each byte.
//   - An Automaton reads a value once and tells which patterns have all the
//     literals in it that their matches must have. What is left are candidates.
//   - A Pattern confirms a candidate with an automaton built as it is needed,
//     whose answers are regexp's own.
//
// Masks and literals may err on one side only: a value that matches is always a
// candidate. All is safe for concurrent use.
package match
