package match

// Mask tells which kinds of bytes occur: one bit for each ASCII punctuation
// character, some for groups of bytes.
type Mask uint64

// The groups.
const (
	Lower Mask = 1 << iota
	Upper
	Digit
	High    // 0x80 and above
	Null    // NUL
	Control // other control characters, DEL among them
	Tab
	LineFeed
	Return
	Feed // vertical tab and form feed
	firstPunctuation
)

// maskOf is the bit of each byte.
var maskOf = maskTable()

func maskTable() (t [256]Mask) {
	next := firstPunctuation
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = High
		case c == 0:
			t[c] = Null
		case c == '\t':
			t[c] = Tab
		case c == '\n':
			t[c] = LineFeed
		case c == '\r':
			t[c] = Return
		case c == '\v' || c == '\f':
			t[c] = Feed
		case c < ' ' || c == 0x7f:
			t[c] = Control
		case '0' <= c && c <= '9':
			t[c] = Digit
		case 'a' <= c && c <= 'z':
			t[c] = Lower
		case 'A' <= c && c <= 'Z':
			t[c] = Upper
		default: // 33 of them, the space among them
			t[c] = next
			next <<= 1
		}
	}
	return t
}

// MaskOf looks at every byte of s once.
func MaskOf(s string) Mask {
	var m Mask
	for i := range len(s) {
		m |= maskOf[s[i]]
	}
	return m
}

// MaskOfByte is the bit of one byte.
func MaskOfByte(c byte) Mask { return maskOf[c] }
