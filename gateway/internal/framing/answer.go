package framing

import (
	"sync/atomic"
)

// ask is what must be known of a request to tell where its answer ends.
type ask uint32

const (
	askAny     ask = 1 << iota // there is a request
	askHead                    // its answer has no body
	askConnect                 // a 2xx begins a tunnel
	askUpgrade                 // a 101 begins a tunnel
)

// asked tells from the first octets of a request what it asks.
func asked(b []byte) ask {
	switch {
	case len(b) >= 5 && string(b[:5]) == "HEAD ":
		return askAny | askHead
	case len(b) >= 8 && string(b[:8]) == "CONNECT ":
		return askAny | askConnect
	default:
		return askAny
	}
}

// question is the one request that waits for its answer; it is put by whoever
// writes and answered by whoever reads.
type question struct{ atomic.Uint32 }

func (q *question) load() ask { return ask(q.Load()) }

// put notes a request, unless one is waiting.
func (q *question) put(a ask) bool { return q.CompareAndSwap(0, uint32(a)) }

// upgrade notes that the request asks for another protocol. Its answer may have
// come already.
func (q *question) upgrade() {
	for a := q.Load(); a != 0; a = q.Load() {
		if q.CompareAndSwap(a, a|uint32(askUpgrade)) {
			return
		}
	}
}

func (q *question) done() { q.Store(0) }

// statusLine takes HTTP/1.x SP three digits, then nothing or SP and a phrase
// (RFC 9112 section 4). Many leave the second space out; it decides nothing.
func (s *scanner) statusLine(l []byte) reason {
	const code = len("HTTP/1.1 ")
	if len(l) < code+3 {
		return badStatusLine
	}
	switch string(l[:code]) {
	case "HTTP/1.1 ":
	case "HTTP/1.0 ":
		s.http10 = true
	default:
		return badStatusLine
	}
	if l[code]-'1' > 8 || l[code+1]-'0' > 9 || l[code+2]-'0' > 9 || len(l) > code+3 && l[code+3] != ' ' {
		return badStatusLine
	}
	s.status = int(l[code]-'0')*100 + int(l[code+1]-'0')*10 + int(l[code+2]-'0')
	return none
}

// answerHead is called at the end of an answer's head (RFC 9112 section 6.3).
func (s *scanner) answerHead() reason {
	if s.chunked && s.length >= 0 {
		return lengthAndCoding
	}
	empty := s.status/100 == 1 || s.status == 204
	switch {
	case empty && s.chunked:
		return badCoding // who reads a body here and who does not part ways
	case empty && s.length > 0:
		return badLength
	case s.status == 101:
		// Read again: the request may not have been written whole when its answer began.
		if s.answers.load()&askUpgrade == 0 || s.http10 {
			return badSwitch
		}
		s.state = tunnel
	case s.status/100 == 2 && s.ask&askConnect != 0:
		s.state = tunnel
	case s.status/100 == 1:
		s.state, s.size = start, 0 // the answer is still to come
	case empty || s.status == 304 || s.ask&askHead != 0:
		s.size = 0
		s.end()
	case s.chunked || s.length >= 0:
		s.bodyNext()
	default:
		s.state = rest
	}
	return none
}
