package framing

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// controls has the high bit set of each octet of x that is a control character
// (below 0x20, or DEL). No octet borrows from another, nor carries into it.
func controls(x uint64) uint64 {
	return ((x&^high + ones) | ^((x | high) - 0x20*ones)) &^ x & high
}

// control is the index of the first control character in b at or behind i;
// len(b) without one. It finds line ends and what may not be in a line in one
// pass, and looks at 32 octets at once: values are mostly longer.
func control(b []byte, i int) int {
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		if controls(binary.LittleEndian.Uint64(c))|controls(binary.LittleEndian.Uint64(c[8:]))|
			controls(binary.LittleEndian.Uint64(c[16:]))|controls(binary.LittleEndian.Uint64(c[24:])) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if found := controls(binary.LittleEndian.Uint64(b[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == 0x7f {
			return i
		}
	}
	return i
}

// tokens are the octets of a token (RFC 9110 section 5.6.2): of methods and
// field names.
var tokens = func() (t [256]bool) {
	for c := byte('0'); c <= 'z'; c++ {
		t[c] = c <= '9' || c >= 'a' || c >= 'A' && c <= 'Z'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

// token is how many octets of a token b begins with.
func token(b []byte) int {
	for i, c := range b {
		if !tokens[c] {
			return i
		}
	}
	return len(b)
}

// fold reports whether b is the lower-case ASCII word in any case.
func fold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// same reports whether two authorities differ at most in the case of ASCII
// letters.
func same(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		d := b[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if d-'A' < 26 {
			d |= 0x20
		}
		if c != d {
			return false
		}
	}
	return true
}

// trim takes optional whitespace from both ends (RFC 9110 section 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// decimal reads a Content-Length: digits only, in the one spelling that nobody
// takes for octal, few enough that nobody's integer overflows.
func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// hexadecimal reads a chunk size.
func hexadecimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case (c|0x20)-'a' <= 5:
			c = (c | 0x20) - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}

// SoundValue reports whether a field's value holds no control character but tabs:
// httpguts.ValidHeaderFieldValue, at a tenth of the cost.
func SoundValue(value string) bool {
	b := unsafe.Slice(unsafe.StringData(value), len(value)) // only read
	for i := control(b, 0); i < len(b); i = control(b, i+1) {
		if b[i] != '\t' {
			return false
		}
	}
	return true
}
