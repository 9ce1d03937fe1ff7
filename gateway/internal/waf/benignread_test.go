//go:build !race

package waf

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// benign is one request of the corpus under testdata/benign, whose README tells
// how it is written.
type benign struct {
	// name is its file and how it begins.
	name, body string
	make       func() *http.Request
	// refused is the status with which our own bounds refuse it, 0 for none.
	refused int
}

// corpus reads all of it, in the order of the files.
func corpus(t *testing.T) []benign {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "benign", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	clients := readClients(t)
	var all []benign
	for _, file := range files {
		r := &benignReader{t: t, file: strings.TrimSuffix(filepath.Base(file), ".txt"), clients: clients}
		r.lines = strings.Split(strings.TrimSuffix(readFile(t, file), "\n"), "\n")
		for r.next() {
		}
		all = append(all, r.all...)
	}
	return all
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readClients are the fields that each client sends with everything.
func readClients(t *testing.T) map[string]http.Header {
	t.Helper()
	clients := map[string]http.Header{}
	var fields http.Header
	for line := range strings.Lines(readFile(t, filepath.Join("testdata", "benign", "clients.conf"))) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "CLIENT "); ok {
			fields = http.Header{}
			clients[name] = fields
			continue
		}
		addField(t, fields, line)
	}
	return clients
}

func addField(t *testing.T, to http.Header, line string) {
	t.Helper()
	name, value, ok := strings.Cut(line, ": ")
	if !ok || name != http.CanonicalHeaderKey(name) {
		t.Fatalf("%q is no header field as net/http writes it", line)
	}
	to[name] = append(to[name], value)
}

// benignReader reads one file.
type benignReader struct {
	t       *testing.T
	file    string
	lines   []string
	clients map[string]http.Header
	fields  http.Header // of the client
	refused int
	all     []benign
}

// next reads one line, or a block; false at the end.
func (r *benignReader) next() bool {
	if len(r.lines) == 0 {
		return false
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	if line == "" || strings.HasPrefix(line, "#") {
		return true
	}
	kind, text, _ := strings.Cut(line, " ")
	if text == "<<" {
		text = r.block()
	}
	switch kind {
	case "CLIENT":
		if r.fields = r.clients[text]; r.fields == nil {
			r.t.Fatalf("%s: no client %q", r.file, text)
		}
	case "REFUSED":
		var err error
		if r.refused, err = strconv.Atoi(text); err != nil {
			r.t.Fatal(err)
		}
	case "JSON", "FORM":
		path, body, _ := strings.Cut(text, " ")
		media := map[string]string{"JSON": jsonMedia, "FORM": formMedia}[kind]
		r.add(line, "POST", path, body, "Content-Type: "+media)
	case "FIELD":
		r.add(line, "GET", "/v1/account", "", text)
	case "SEARCH":
		r.add(line, "GET", "/search?q="+url.QueryEscape(text), "")
	case "NAME":
		r.add("in a query "+line, "GET", "/v1/guests?name="+url.QueryEscape(text), "")
		r.words("name", text)
	case "TEXT":
		r.words("note", text)
	case "GRAPHQL":
		query, variables, _ := strings.Cut(text, "\n---\n")
		body := map[string]any{"query": query}
		if variables != "" {
			body["variables"] = json.RawMessage(variables)
		}
		r.add(query, "POST", "/graphql", jsonOf(r.t, body), "Content-Type: "+jsonMedia)
	case "HTTP":
		head, body, _ := strings.Cut(text, "\n\n")
		line, head, _ := strings.Cut(head, "\n")
		method, target, _ := strings.Cut(line, " ")
		if strings.Contains(head, "multipart/") {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
		r.add(line, method, target, body, strings.Split(head, "\n")...)
	case "GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT":
		r.add(line, kind, text, "")
	default:
		r.t.Fatalf("%s: %q is no kind of request", r.file, kind)
	}
	return true
}

// block is the lines up to its end.
func (r *benignReader) block() string {
	for n, line := range r.lines {
		if line == ">>" {
			text := strings.Join(r.lines[:n], "\n")
			r.lines = r.lines[n+1:]
			return text
		}
	}
	r.t.Fatalf("%s: a block has no end", r.file)
	return ""
}

// words are sent as a member of a JSON body and as a field of a form.
func (r *benignReader) words(name, text string) {
	r.add("in JSON "+text, "POST", "/v1/guests", jsonOf(r.t, map[string]any{"id": "g-7", name: text}), "Content-Type: "+jsonMedia)
	wire := url.QueryEscape(strings.ReplaceAll(text, "\n", "\r\n"))
	r.add("in a form "+text, "POST", "/contact", "id=g-7&"+name+"="+wire, "Content-Type: "+formMedia)
}

// add adds a request; its fields come in place of the client's.
func (r *benignReader) add(says, method, target, body string, fields ...string) {
	header, own := r.fields.Clone(), http.Header{}
	for _, field := range fields {
		addField(r.t, own, field)
	}
	for name, values := range own {
		header[name] = values
	}
	path, query, _ := strings.Cut(target, "?")
	plain, err := url.PathUnescape(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		r.t.Fatalf("%s: %q is no path", r.file, path)
	}
	says = strings.ReplaceAll(says, "\n", " ")
	if runes := []rune(says); len(runes) > 90 {
		says = string(runes[:90]) + "..."
	}
	r.all = append(r.all, benign{
		name: fmt.Sprintf("%s: %s", r.file, says), body: body, refused: r.refused,
		make: func() *http.Request {
			return &http.Request{
				Method: method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "api.hotel.test", ContentLength: int64(len(body)),
				URL: &url.URL{Path: plain, RawPath: path, RawQuery: query}, Header: header.Clone(),
			}
		},
	})
	r.refused = 0
}
