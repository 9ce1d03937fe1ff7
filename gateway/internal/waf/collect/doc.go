// Package collect walks through a request and tells of every value that the
// engine's rules would see, under the name of the variable they would see it by.
// What it cannot read exactly as the engine does, it does not guess: it says so,
// and the engine has to be asked.
package collect
