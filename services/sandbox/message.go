package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// What of a mail is read. A message is a megabyte at most, but a thousand parts
// of nothing, or parts in parts, cost more than their bytes.
const (
	maxParts  = 100
	maxDepth  = 8
	maxHeader = 32 << 10 // bytes of header fields that are shown
)

// message is a mail as people and tests see it.
type message struct {
	ID       int       `json:"id"`
	From     string    `json:"from"`
	To       []string  `json:"to"` // who it was sent to, whatever its header says
	Subject  string    `json:"subject"`
	Text     string    `json:"text"`
	HTML     string    `json:"html"`
	Received time.Time `json:"received"`

	Header      []field      `json:"-"`
	Attachments []attachment `json:"-"`
	// Notes say what is wrong with the mail: its sender wants to know.
	Notes []string `json:"-"`
}

type field struct{ Name, Value string }

// attachment is a part that is not shown, only handed out.
type attachment struct {
	Name, Type string
	Data       []byte
}

// size is about what a message costs us.
func (m *message) size() int {
	n := 512 + len(m.From) + len(m.Subject) + len(m.Text) + len(m.HTML)
	for _, t := range m.To {
		n += len(t)
	}
	for _, f := range m.Header {
		n += len(f.Name) + len(f.Value)
	}
	for _, a := range m.Attachments {
		n += 64 + len(a.Name) + len(a.Data)
	}
	return n
}

// note adds what is wrong, once. Errors of the standard library quote what they
// stumbled over, at any length.
func (m *message) note(format string, args ...any) {
	if text := shortened(readable([]byte(fmt.Sprintf(format, args...)))); !slices.Contains(m.Notes, text) {
		m.Notes = append(m.Notes, text)
	}
}

// parse reads a mail (RFC 5322, MIME). It never fails: a mail that is broken is
// shown as far as it can be read, and says so.
func parse(raw []byte) *message {
	m := &message{}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		m.note("This is not a mail (%v): below is what was sent.", err)
		m.Text = readable(raw)
		return m
	}
	m.Header = m.fields(parsed.Header)
	m.From, m.Subject = decoded(parsed.Header.Get("From")), decoded(parsed.Header.Get("Subject"))
	reader := &parts{message: m}
	reader.read(parsed.Header, parsed.Body, 0)
	return m
}

// fields are the header fields by name, as they were sent.
func (m *message) fields(header mail.Header) []field {
	all, bytes := []field{}, 0
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			if bytes += len(name) + len(value); bytes > maxHeader {
				m.note("Header fields beyond %d bytes are left out.", maxHeader)
				return all
			}
			all = append(all, field{readable([]byte(name)), readable([]byte(value))})
		}
	}
	return all
}

// maxLine bounds a subject, a sender or a note, in bytes: a line of a list.
const maxLine = 500

// decoded is the text of a header field with encoded words (RFC 2047).
func decoded(value string) string {
	value = value[:min(len(value), 4*maxLine)] // before work is spent on it
	if text, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		value = text
	}
	return shortened(readable([]byte(value)))
}

func shortened(text string) string {
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}

// readable is b as UTF-8, without what is not.
func readable(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// inCharset is b as UTF-8. Only the charsets that mail of ours could be in are
// known; others are shown as if they were UTF-8.
func (m *message) inCharset(b []byte, charset string) string {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
	case "iso-8859-1":
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	default:
		m.note("The charset %.40q is not known here: the text is shown as UTF-8.", charset)
	}
	return readable(b)
}

// readAll reads a part to its end; what could be read of a broken one is kept.
func (m *message) readAll(r io.Reader) []byte {
	data, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, io.EOF) {
		m.note("A part is broken: %v.", err)
	}
	return data
}
