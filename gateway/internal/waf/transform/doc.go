// Package transform holds the transformations of the rule language, each equal
// to the engine's for every input. Rules look at values through chains of them:
// whoever decides without the engine must see what the engine would.
//
// Each says what it needs to see in a value before it changes anything, so that
// an ordinary value costs one look at its bytes and no copy.
package transform
