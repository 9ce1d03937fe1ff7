package framing

import "net"

// readAhead is how much is read at once to complete a line, at least.
const readAhead = 512

// keptAhead is how much memory for held octets an idle connection keeps.
const keptAhead = 8 << 10

// stream reads from a connection what its scanner lets through.
type stream struct {
	net.Conn
	scan  scanner
	ahead []byte // read from below, not yet passed on
	at    int    // of ahead, what was passed on
	clear int    // of ahead, what may be passed on
	short bool   // what is behind clear is part of a line, to be passed on when it is whole
}

// pass copies what was let through.
func (s *stream) pass(p []byte) int {
	n := copy(p, s.ahead[s.at:s.clear])
	s.at += n
	if s.at == len(s.ahead) {
		s.at, s.clear, s.ahead = 0, 0, s.ahead[:0]
		if cap(s.ahead) > keptAhead {
			s.ahead = nil
		}
	}
	return n
}

// put has b passed on next, and what was held behind it never.
func (s *stream) put(b string) {
	s.ahead = append(s.ahead[:s.clear], b...)
	s.clear, s.short = len(s.ahead), false
}

// read looks at what is held, or else reads on. n octets, in p, were let
// through; more may be in ahead. It may return nothing at all.
func (s *stream) read(p []byte) (n int, why reason, err error) {
	if s.at < len(s.ahead) {
		if s.short {
			if err := s.lengthen(); err != nil {
				return 0, none, err
			}
		}
		n, why = s.scan.feed(s.ahead[s.at:])
		s.clear = s.at + n
		s.short = s.clear < len(s.ahead)
		return 0, why, nil
	}
	got, err := s.Conn.Read(p)
	if got == 0 {
		return 0, none, err
	}
	n, why = s.scan.feed(p[:got])
	if n < got {
		s.ahead, s.at, s.clear, s.short = append(s.ahead[:0], p[n:got]...), 0, 0, true
		err = nil // it comes again, behind what is held
	}
	return n, why, err
}

// lengthen reads more behind part of a line.
func (s *stream) lengthen() error {
	held := copy(s.ahead, s.ahead[s.at:])
	s.ahead, s.at, s.clear = s.ahead[:held], 0, 0
	if cap(s.ahead) < held+readAhead {
		s.ahead = append(make([]byte, 0, 2*(held+readAhead)), s.ahead...)
	}
	n, err := s.Conn.Read(s.ahead[held : held+readAhead])
	s.ahead = s.ahead[:held+n]
	if n > 0 {
		return nil
	}
	return err
}
