package framing

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strconv"
	"strings"
)

// This is a second reading of RFC 9112, slow and after the letter of its
// grammar, that knows only what can be read in one way. It shares nothing with
// the scanner.

const tokenPattern = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

var (
	requestLinePattern = regexp.MustCompile(`^(` + tokenPattern + `) ([^\x00-\x20\x7f]+) HTTP/1\.([01])$`)
	statusLinePattern  = regexp.MustCompile(`^HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?$`)
	fieldPattern       = regexp.MustCompile(`^(` + tokenPattern + `):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)$`)
	absolutePattern    = regexp.MustCompile(`^(?i:https?)://([^/?#]+)`)
	lengthPattern      = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,17})$`)
	chunkSizePattern   = regexp.MustCompile(`^[0-9A-Fa-f]{1,15}$`)
	forbiddenTrailer   = regexp.MustCompile(`^(?i:content-length|transfer-encoding|host|trailer)$`)
)

// head is the parts of one that matter; ok when it is sound so far.
type plainHead struct {
	first   []string // the groups of the first line
	length  int64
	chunked bool
	hosts   []string
	rest    []byte
	ok      bool
}

func plainHeadOf(b []byte, firstLine *regexp.Regexp, versionGroup int) (h plainHead) {
	text, rest, found := bytes.Cut(b, []byte("\r\n\r\n"))
	lines := strings.Split(string(text), "\r\n")
	if h.first = firstLine.FindStringSubmatch(lines[0]); !found || h.first == nil {
		return h
	}
	h.rest, h.length = rest, -1
	for _, line := range lines[1:] {
		field := fieldPattern.FindStringSubmatch(line)
		if field == nil {
			return h
		}
		value := strings.TrimRight(field[2], " \t")
		switch strings.ToLower(field[1]) {
		case "content-length":
			if h.length >= 0 || h.chunked || !lengthPattern.MatchString(value) {
				return h
			}
			h.length, _ = strconv.ParseInt(value, 10, 64)
		case "transfer-encoding":
			if h.length >= 0 || h.chunked || !strings.EqualFold(value, "chunked") || h.first[versionGroup] == "0" {
				return h
			}
			h.chunked = true
		case "host":
			h.hosts = append(h.hosts, value)
		}
	}
	h.ok = true
	return h
}

// plainBody reads a body that does not end with the connection.
func plainBody(h plainHead) (body, rest []byte, ok bool) {
	b := h.rest
	if !h.chunked {
		n := max(h.length, 0)
		if int64(len(b)) < n {
			return nil, nil, false
		}
		return b[:n], b[n:], true
	}
	for {
		line, rest, found := bytes.Cut(b, []byte("\r\n"))
		if !found || !chunkSizePattern.Match(line) {
			return nil, nil, false
		}
		n, _ := strconv.ParseInt(string(line), 16, 64)
		b = rest
		if n == 0 {
			break
		}
		if int64(len(b)) < n+2 || string(b[n:n+2]) != "\r\n" {
			return nil, nil, false
		}
		body, b = append(body, b[:n]...), b[n+2:]
	}
	for {
		line, rest, found := bytes.Cut(b, []byte("\r\n"))
		if !found {
			return nil, nil, false
		}
		b = rest
		if len(line) == 0 {
			return body, b, true
		}
		if field := fieldPattern.FindSubmatch(line); field == nil || forbiddenTrailer.Match(field[1]) {
			return nil, nil, false
		}
	}
}

func plainRequests(stream []byte) (messages []message) {
	for b := stream; ; {
		h := plainHeadOf(b, requestLinePattern, 3)
		if !h.ok {
			return messages
		}
		method, target, version := h.first[1], h.first[2], h.first[3]
		var authority string
		switch absolute := absolutePattern.FindStringSubmatch(target); {
		case method == "CONNECT" && !strings.Contains(target, "/"):
			authority = target
		case method == "CONNECT":
			return messages
		case target[0] == '/', target == "*" && method == "OPTIONS":
		case absolute != nil:
			authority = absolute[1]
		default:
			return messages
		}
		if len(authority) > 300 || len(h.hosts) > 1 || len(h.hosts) == 0 && (version == "1" || authority != "") ||
			authority != "" && asciiLower(authority) != asciiLower(h.hosts[0]) {
			return messages
		}
		body, rest, ok := plainBody(h)
		if !ok {
			return messages
		}
		messages = append(messages, message{first: method, second: target, body: sha256.Sum256(body), end: len(stream) - len(rest)})
		b = rest
	}
}

// asciiLower leaves other letters alone: the Kelvin sign is no k in a host name.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func plainAnswers(stream []byte, head, upgrade, all bool) (messages []message) {
	for b := stream; ; {
		h := plainHeadOf(b, statusLinePattern, 1)
		if !h.ok {
			return messages
		}
		status := h.first[2]
		body, rest := []byte(nil), h.rest
		switch ok := true; {
		case status == "204" || status[0] == '1':
			if h.chunked || h.length > 0 || status == "101" && (!upgrade || h.first[1] == "0") {
				return messages
			}
		case status == "304" || head:
		case !h.chunked && h.length < 0:
			body, rest = h.rest, nil
		default:
			if body, rest, ok = plainBody(h); !ok {
				return messages
			}
		}
		m := message{first: status, end: len(stream) - len(rest)}
		if status[0] != '1' {
			m.body = sha256.Sum256(body)
		}
		messages = append(messages, m)
		b = rest
		if status == "101" || status[0] != '1' && !all {
			return messages
		}
	}
}
