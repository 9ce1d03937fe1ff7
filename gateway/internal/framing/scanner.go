package framing

// scanner follows the messages that go one way on an HTTP/1 connection, closely
// enough to know where each ends, and refuses what could be read in two ways. It
// is stricter than net/http on purpose (RFC 9112 sections 2.2, 3, 4, 5, 6 and
// 7.1): what both accept, both frame alike.
type scanner struct {
	state state
	left  int64  // octets to come of the body or chunk
	carry []byte // the beginning of a line, from earlier reads
	size  int    // octets so far of the head, of the trailer section or of a line between chunks

	// answers is what was asked, when this follows answers; nil for requests.
	answers *question
	// hold is the first state whose lines are passed on only when they are whole.
	hold state
	seen int // of a line that is held, what has been looked at
	// pause is set to stop behind every message, not only where a tunnel may begin.
	pause bool
	// begun says that part of the head being read was passed on earlier.
	begun bool

	// What the head being read says.
	status  int // of an answer
	ask     ask // what the answer answers; of a request, what it asks
	http10  bool
	length  int64 // -1 without a Content-Length
	chunked bool
	upgrade bool
	host    bool
	// authority is that of a target in absolute form; empty otherwise.
	authority []byte
}

type state uint8

const (
	start   state = iota // a message begins here
	fields               // lines of the head
	body                 // left octets
	size                 // a chunk's size
	data                 // left octets of a chunk
	dataEnd              // the line end behind a chunk
	trailer              // lines of the trailer section
	rest                 // an answer that ends with its connection
	decide               // a request has ended; whose is what follows?
	tunnel               // not HTTP any more
	never                // no state
)

const (
	// maxHead bounds a head in octets. http.Server and http.Transport have
	// tighter bounds of their own; this one holds without them.
	maxHead = 1 << 20
	// MaxTrailer bounds a trailer section in octets, its last line end included;
	// net/http takes less than 4 KiB.
	MaxTrailer = 3 << 10
	// maxSize is a chunk size of 15 digits with its line end.
	maxSize = 17
	// maxAuthority bounds the authority of a target: a host name has 253 octets.
	maxAuthority = 300
	// keptCarry is how much memory for lines an idle connection keeps.
	keptCarry = 4 << 10
)

// feed looks at b and says how much of it may be passed on. With a reason, the
// stream is refused from there on. Without one and with less than all, either
// state is decide or tunnel, or a line goes on for which more must be fed, with
// what was not passed on before it.
func (s *scanner) feed(b []byte) (n int, why reason) {
	n, why = s.follow(b)
	if why == none {
		s.begun = s.state == fields || s.state == start && len(s.carry) > 0
	}
	return n, why
}

func (s *scanner) follow(b []byte) (n int, why reason) {
	message := 0 // where the message being read begins in b
	for n < len(b) {
		switch s.state {
		case rest:
			return len(b), none
		case decide, tunnel:
			return n, none
		case body, data:
			n += s.content(len(b) - n)
			continue
		case start:
			if len(s.carry) == 0 {
				message = n
				if why := s.begin(b[n]); why != none {
					return n, why
				}
			}
		case fields:
			// Before a part of the line is passed on: net/http would join it.
			if len(s.carry) == 0 && (b[n] == ' ' || b[n] == '\t') {
				return message, badFolding
			}
		}
		taken, why := s.line(b[n:])
		if why != none {
			if s.state == start || s.state == fields {
				return message, why // nothing of a refused head is passed on that has not been
			}
			return n, why
		}
		if taken == 0 {
			return n, none
		}
		n += taken
	}
	return n, none
}

// begin looks at the first octet of a message.
func (s *scanner) begin(first byte) reason {
	if s.answers != nil {
		if s.ask = s.answers.load(); s.ask == 0 {
			return unasked
		}
	}
	if first == '\r' || first == '\n' {
		return emptyLine
	}
	return none
}

// content passes up to n octets of a body.
func (s *scanner) content(n int) int {
	if int64(n) < s.left {
		s.left -= int64(n)
		return n
	}
	n, s.left = int(s.left), 0
	if s.state == body {
		s.end()
	} else {
		s.state = dataEnd
	}
	return n
}

// line takes the line that b begins with or goes on with, or as much as there
// is of it: 0 when none of it may be passed on yet.
func (s *scanner) line(b []byte) (taken int, why reason) {
	end, why := s.lineEnd(b)
	if why != none {
		return 0, why
	}
	if end == 0 {
		if s.size+len(b) > s.bound() {
			return 0, s.overlong()
		}
		if s.state >= s.hold {
			return 0, none
		}
		s.size += len(b)
		s.carry = append(s.carry, b...)
		return len(b), none
	}
	if s.size += end; s.size > s.bound() {
		return 0, s.overlong()
	}
	l := b[:end]
	if len(s.carry) > 0 {
		s.carry = append(s.carry, l...)
		l = s.carry
	}
	state := s.state
	if why := s.take(l[:len(l)-2]); why != none {
		s.state = state
		return 0, why
	}
	s.carry = s.carry[:0]
	return end, none
}

// lineEnd is where the line ends that b begins or goes on with, its CRLF
// included; 0 when it does not end in b. A bare LF is a line end to some and
// not to others, a bare CR likewise; NUL ends a string in C.
func (s *scanner) lineEnd(b []byte) (int, reason) {
	if n := len(s.carry); n > 0 && s.carry[n-1] == '\r' {
		if b[0] != '\n' {
			return 0, badLineEnd
		}
		return 1, none
	}
	for i := control(b, s.seen); i < len(b); i = control(b, i+1) {
		switch b[i] {
		case '\t':
			continue
		case '\r':
			if i+1 == len(b) {
				s.look(i)
				return 0, none
			}
			if b[i+1] == '\n' {
				s.seen = 0
				return i + 2, none
			}
			return 0, badLineEnd
		case '\n':
			return 0, badLineEnd
		default:
			return 0, badControl
		}
	}
	s.look(len(b))
	return 0, none
}

// look notes how far a line was looked at that will be fed again from its
// beginning, or a peer that sends it octet by octet makes us work by the square.
func (s *scanner) look(n int) {
	if s.state >= s.hold {
		s.seen = n
	}
}

func (s *scanner) bound() int {
	switch s.state {
	case size, dataEnd:
		return maxSize
	case trailer:
		return MaxTrailer
	default:
		return maxHead
	}
}

func (s *scanner) overlong() reason {
	switch s.state {
	case size, dataEnd:
		return badChunk
	case trailer:
		return badTrailer
	default:
		return tooLong
	}
}

// take reads one line without its end.
func (s *scanner) take(l []byte) reason {
	switch s.state {
	case start:
		s.length, s.chunked, s.upgrade, s.host, s.http10 = -1, false, false, false, false
		s.authority = s.authority[:0]
		s.state = fields
		if s.answers != nil {
			return s.statusLine(l)
		}
		return s.requestLine(l)
	case fields:
		if len(l) > 0 {
			return s.field(l)
		}
		if s.answers != nil {
			return s.answerHead()
		}
		return s.requestHead()
	case size:
		n, ok := hexadecimal(l)
		if !ok { // an extension too: nobody needs them, and parsers disagree about their end
			return badChunk
		}
		s.left, s.size, s.state = n, 0, data
		if n == 0 {
			s.state = trailer
		}
	case dataEnd:
		if len(l) > 0 {
			return badChunk
		}
		s.size, s.state = 0, size
	case trailer:
		if len(l) > 0 {
			return s.trailer(l)
		}
		s.end()
	}
	return none
}

// bodyNext says what follows the head: a body of a known length, chunks, or
// nothing.
func (s *scanner) bodyNext() {
	s.size = 0
	switch {
	case s.chunked:
		s.state = size
	case s.length > 0:
		s.state, s.left = body, s.length
	default:
		s.end()
	}
}

// end closes the message in progress.
func (s *scanner) end() {
	s.state, s.size = start, 0
	if cap(s.carry) > keptCarry {
		s.carry = nil
	}
	if s.answers != nil {
		s.answers.done()
	} else if s.upgrade || s.pause {
		s.state = decide
	}
}
