// Package framing makes sure that everybody who reads an HTTP/1 connection sees
// the same messages on it. Request smuggling and response queue poisoning live
// of two parsers that disagree where a message ends; net/http, like most, is
// lenient where RFC 9112 lets it be (folded lines, bare LF, a length beside a
// coding). Here messages are followed byte by byte underneath net/http, and
// whatever could be read in two ways is refused before net/http reads it at all:
// NewServer stands between a client and http.Server, NewClient between
// http.Transport and a backend. Both stand above TLS, and only on connections
// that speak HTTP/1.
package framing

// reason says why a message was refused; none is that it was not.
type reason uint8

const (
	none reason = iota
	badRequestLine
	badStatusLine
	badVersion
	badHost
	badFieldName
	badControl
	badFolding
	badLineEnd
	badLength
	badCoding
	lengthAndCoding
	badChunk
	badTrailer
	emptyLine
	tooLong
	unasked
	badSwitch
	badRequest
	reasons // how many there are
)

// names are what metrics and errors call the reasons.
var names = [reasons]string{
	none:            "none",
	badRequestLine:  "request_line",
	badStatusLine:   "status_line",
	badVersion:      "version",
	badHost:         "host",
	badFieldName:    "field_name",
	badControl:      "control_character",
	badFolding:      "folded_field",
	badLineEnd:      "line_end",
	badLength:       "content_length",
	badCoding:       "transfer_encoding",
	lengthAndCoding: "content_length_and_transfer_encoding",
	badChunk:        "chunk",
	badTrailer:      "trailer",
	emptyLine:       "empty_line",
	tooLong:         "too_long",
	unasked:         "unasked",
	badSwitch:       "switching_protocols",
	badRequest:      "request",
}

func (r reason) String() string { return names[r] }

// Reasons lists every reason that NewServer's Refused may be called with, for
// counters that are bound before the first refusal.
func Reasons() []string {
	return []string{
		names[badRequestLine], names[badVersion], names[badHost], names[badFieldName], names[badControl], names[badFolding], names[badLineEnd],
		names[badLength], names[badCoding], names[lengthAndCoding], names[badChunk], names[badTrailer], names[emptyLine], names[tooLong],
	}
}
