package transform

// Signs are what a value has in it, as far as transformations care.
type Signs uint32

// Each sign is a byte, a kind of bytes, or two bytes side by side.
const (
	Percent   Signs = 1 << iota // %
	Plus                        // +
	Backslash                   // \
	Ampersand                   // &
	Null                        // NUL
	Upper                       // A to Z
	High                        // 0x80 and above
	Quote                       // " ' ^
	Separator                   // , ;
	Slash                       // /
	Star                        // *
	Dash                        // -
	Hash                        // #
	Colon                       // :
	Space                       // a space
	Blank                       // tab, line feed, carriage return, vertical tab, form feed
	Gap                         // a space before a space, a slash or a parenthesis
	Dot                         // a component that may be dots, or a doubled slash
	DotEnd                      // a component that ends in a dot or a space
	EdgeSpace                   // white space at the beginning or the end
	Lower                       // a to z
)

// always is the trigger of what changes every value.
const always Signs = 1 << 31

var signOf = signTable()

func signTable() (t [256]Signs) {
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = Upper
		t[c+'a'-'A'] = Lower
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = High
	}
	for _, c := range "\t\n\r\v\f" {
		t[c] = Blank
	}
	for bytes, sign := range map[string]Signs{
		"%": Percent, "+": Plus, `\`: Backslash, "&": Ampersand, "\x00": Null, `"'^`: Quote, ",;": Separator, "/": Slash, "*": Star,
		"-": Dash, "#": Hash, ":": Colon, " ": Space,
	} {
		for _, c := range bytes {
			t[c] |= sign
		}
	}
	return t
}

// SignsOf looks at every byte of s once.
func SignsOf(s string) Signs {
	var seen Signs
	for i := 0; i < len(s); i++ {
		seen |= signOf[s[i]]
	}
	if seen&(Space|Blank|High) != 0 && s != "" && (edge(s[0]) || edge(s[len(s)-1])) {
		seen |= EdgeSpace
	}
	if seen&Space != 0 {
		seen |= gaps(s)
	}
	return seen | components(s)
}

func edge(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func gaps(s string) Signs {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == ' ' && (s[i+1] == ' ' || s[i+1] == '/' || s[i+1] == '(') {
			return Gap
		}
	}
	return 0
}

// components looks for what path transformations would touch.
func components(s string) Signs {
	var found Signs
	start := true // of a component
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '/' || c == '\\':
			if start && i > 0 {
				found |= Dot // doubled
			}
			if i > 0 && (s[i-1] == '.' || s[i-1] == ' ') {
				found |= DotEnd
			}
			start = true
			continue
		case c == '.' && start:
			found |= Dot
		}
		start = false
	}
	if n := len(s); n > 0 && (s[n-1] == '.' || s[n-1] == ' ') {
		found |= DotEnd
	}
	return found
}
