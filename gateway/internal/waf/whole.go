package waf

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// requestLine begins a text that is a whole request. A query string has no
// space in it.
var requestLine = regexp.MustCompile(`^[A-Z]+ /`)

func isWhole(text string) bool { return requestLine.MatchString(text) }

// whole reads a request as it is sent: a line with the method and the target,
// header fields, an empty line, the body. What the fields do not say is as in
// other requests of our own; a body is JSON when it begins with { or [, else a
// form.
func whole(text string) (*http.Request, string, error) {
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	target = strings.TrimSuffix(target, " HTTP/1.1")
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, "", errors.New("a target holds printable ASCII only; write other characters as %20")
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, "", fmt.Errorf("the target %q cannot be read", target)
	}
	body = strings.TrimSuffix(body, "\n") // a block of YAML ends in one
	media := formMedia
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		media = jsonMedia
	}
	r := probeRequest("", media, body)
	r.Method, r.URL = method, u
	named := http.Header{}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, "", fmt.Errorf("%q is no header field; write Name: value, and an empty line before the body", line)
		}
		if name = http.CanonicalHeaderKey(name); name == "Host" {
			r.Host = value
			continue
		}
		named[name] = append(named[name], value)
	}
	for name, values := range named {
		r.Header[name] = values
	}
	return r, body, nil
}
