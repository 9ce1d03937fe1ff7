package compress

import "strings"

// coding is a content coding (RFC 9110 section 8.4.1).
type coding uint8

const (
	identity coding = iota
	gzipped
	zstandard
)

func (c coding) String() string {
	switch c {
	case gzipped:
		return "gzip"
	case zstandard:
		return "zstd"
	}
	return "identity"
}

// maxAccept bounds the bytes of Accept-Encoding that are looked at; browsers
// send about 25.
const maxAccept = 512

// negotiate is the coding that a client wants most among those there are (RFC
// 9110 section 12.5.3). Of equal wishes zstd wins, which is smaller. What cannot
// be read is not wanted.
func negotiate(accept []string) coding {
	const absent = -1
	gzip, zstd, plain, others := absent, absent, absent, absent
	size := 0
	for _, line := range accept {
		if size += len(line); size > maxAccept {
			return identity
		}
		for item := range strings.SplitSeq(line, ",") {
			name, params, weighted := strings.Cut(item, ";")
			q := 1000
			if weighted {
				q = weight(params)
			}
			switch name = strings.Trim(name, " \t"); {
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				gzip = max(gzip, q)
			case strings.EqualFold(name, "zstd"):
				zstd = max(zstd, q)
			case strings.EqualFold(name, "identity"):
				plain = max(plain, q)
			case name == "*":
				others = max(others, q)
			}
		}
	}
	if gzip == absent {
		gzip = others
	}
	if zstd == absent {
		zstd = others
	}
	switch best := max(gzip, zstd); {
	case best <= 0 || best < plain:
		return identity
	case zstd == best:
		return zstandard
	default:
		return gzipped
	}
}

// weight reads "q=0.5" as thousandths; 0 for what is no weight.
func weight(params string) int {
	value, ok := strings.CutPrefix(strings.Trim(params, " \t"), "q=")
	if !ok {
		if value, ok = strings.CutPrefix(strings.Trim(params, " \t"), "Q="); !ok {
			return 0
		}
	}
	whole, fraction, _ := strings.Cut(value, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	q := 1000 * int(whole[0]-'0')
	for i, unit := 0, 100; i < len(fraction); i, unit = i+1, unit/10 {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0
		}
		q += unit * int(fraction[i]-'0')
	}
	if q > 1000 {
		return 0
	}
	return q
}
