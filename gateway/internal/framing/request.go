package framing

import "bytes"

// requestLine takes METHOD SP target SP HTTP/1.0 or HTTP/1.1 (RFC 9112
// section 3), with single spaces.
func (s *scanner) requestLine(l []byte) reason {
	const version = len(" HTTP/1.1")
	method := token(l)
	if method == 0 || len(l) < method+1+1+version || l[method] != ' ' {
		return badRequestLine
	}
	target, proto := l[method+1:len(l)-version], l[len(l)-version:]
	if bytes.IndexByte(target, ' ') >= 0 || bytes.IndexByte(target, '\t') >= 0 {
		return badRequestLine
	}
	switch string(proto) {
	case " HTTP/1.1":
	case " HTTP/1.0":
		s.http10 = true
	default:
		return badVersion
	}
	s.ask = asked(l[:method+1])
	s.upgrade = s.ask&askConnect != 0
	return s.target(l[:method], target)
}

// target takes the four forms of RFC 9112 section 3.2.
func (s *scanner) target(method, target []byte) reason {
	connect := s.ask&askConnect != 0
	switch {
	case target[0] == '/' && !connect:
		return none
	case len(target) == 1 && target[0] == '*' && string(method) == "OPTIONS":
		return none
	}
	authority := target
	if !connect {
		// Others than http and https are nobody's here.
		scheme, after, ok := bytes.Cut(target, []byte("://"))
		if !ok || !fold(scheme, "http") && !fold(scheme, "https") {
			return badRequestLine
		}
		authority = after
		if end := bytes.IndexAny(after, "/?#"); end >= 0 {
			authority = after[:end]
		}
	} else if bytes.IndexByte(target, '/') >= 0 {
		return badRequestLine
	}
	if len(authority) == 0 || len(authority) > maxAuthority {
		return badHost
	}
	s.authority = append(s.authority, authority...)
	return none
}

// hostField compares what Host names with what the target names: whichever of
// the two a backend believes must be the one that was decided on.
func (s *scanner) hostField(value []byte) reason {
	if s.host || len(s.authority) > 0 && !same(value, s.authority) {
		return badHost
	}
	s.host = true
	return none
}

// requestHead is called at the end of a request's head.
func (s *scanner) requestHead() reason {
	switch {
	case s.chunked && s.length >= 0:
		return lengthAndCoding
	case !s.host && (!s.http10 || len(s.authority) > 0):
		return badHost
	}
	s.bodyNext()
	return none
}
