package framing

// field reads one field line of a head. Names are tokens up to the colon: a
// space before it hides a Content-Length from one parser and not from another.
func (s *scanner) field(l []byte) reason {
	n := token(l)
	if n == 0 || n == len(l) || l[n] != ':' {
		return badFieldName
	}
	switch name := l[:n]; n {
	case len("host"):
		if s.answers == nil && fold(name, "host") {
			return s.hostField(trim(l[n+1:]))
		}
	case len("upgrade"):
		if fold(name, "upgrade") {
			s.upgrade = true
		}
	case len("content-length"):
		if fold(name, "content-length") {
			length, ok := decimal(trim(l[n+1:]))
			if !ok || s.length >= 0 {
				return badLength
			}
			s.length = length
		}
	case len("transfer-encoding"):
		if fold(name, "transfer-encoding") {
			if s.chunked || s.http10 || !fold(trim(l[n+1:]), "chunked") {
				return badCoding
			}
			s.chunked = true
		}
	}
	return none
}

// trailer reads one field line of a trailer section, where nothing may stand
// that says how the message is framed or whom it is for (RFC 9110 section
// 6.5.1): some merge trailers into the head.
func (s *scanner) trailer(l []byte) reason {
	n := token(l)
	if n == 0 || n == len(l) || l[n] != ':' {
		return badTrailer
	}
	for _, forbidden := range [...]string{"content-length", "transfer-encoding", "host", "trailer"} {
		if fold(l[:n], forbidden) {
			return badTrailer
		}
	}
	return none
}
