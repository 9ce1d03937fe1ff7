package pipeline

import "strings"

// padded is from how many bytes a name with nothing but equals signs behind it
// is taken for Base64: sixteen hold no more than 96 bits.
const padded = 16

// ValueAlone reports whether a parameter, as it stands in a query or a form, is a
// value without a name, as in "?TOKEN": no event may hold it. The equals signs
// that fill up Base64, as in "?VE9LRU4...Cg==", name nothing either.
func ValueAlone(pair string) bool {
	name, rest, has := strings.Cut(pair, "=")
	switch {
	case name == "":
		return false
	case !has:
		return true
	}
	return len(pair) >= padded && len(pair)%4 == 0 && (rest == "" || rest == "=")
}
