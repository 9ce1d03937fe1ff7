package match

// Characters beyond ASCII that count as ASCII letters when case does not
// matter: long s and the Kelvin sign in regular expressions, and capital I with
// a dot under t:lowercase. No ASCII literal finds them. A value that has one is
// taken for a candidate of every pattern; few have.
const (
	longS      = 'ſ' // U+017F
	kelvin     = '\u212a'
	dottedI    = 'İ' // U+0130
	foldsWords = string(longS) + string(kelvin) + string(dottedI)
)

func foldsToASCII(r rune) bool { return r == longS || r == kelvin }
