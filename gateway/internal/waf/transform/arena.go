package transform

import "unsafe"

// chunk is how much memory an arena takes at once.
const chunk = 16 << 10

// Arena is the memory of transformed values. They live until it is reset. It is
// for one goroutine.
type Arena struct{ buf []byte }

// Reset ends the life of every value made so far.
func (a *Arena) Reset() { a.buf = a.buf[:0] }

// Room returns an empty slice to which n bytes can be appended without another
// allocation. It is given to Keep before the next call of Room.
func (a *Arena) Room(n int) []byte {
	if cap(a.buf)-len(a.buf) < n {
		a.buf = make([]byte, 0, max(chunk, 2*n)) // values made before keep the old one alive
	}
	return a.buf[len(a.buf) : len(a.buf) : len(a.buf)+n]
}

// Keep makes of what was appended to Room's slice a value.
func (a *Arena) Keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if end := len(a.buf) + len(b); end <= cap(a.buf) && &a.buf[:end][len(a.buf)] == &b[0] {
		a.buf = a.buf[:end]
	} // else it has outgrown its room and has memory of its own
	return unsafe.String(&b[0], len(b))
}

// changed keeps b unless it says the same as s. Callers tell by the address
// whether a value was changed.
func (a *Arena) changed(s string, b []byte) string {
	if string(b) == s {
		return s
	}
	return a.Keep(b)
}
