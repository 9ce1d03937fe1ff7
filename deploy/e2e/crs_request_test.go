package e2e

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// crsRequest is a request of the Core Rule Set's tests before it is bytes. What
// the tests leave out is filled in as their own runner does it, or they would
// mean something else.
type crsRequest struct {
	method, target, version string
	fields                  [][2]string
	data                    string
}

// withBody are the methods whose requests always say how long their body is. It
// is not anchored, as that of the other runner is not.
var withBody = regexp.MustCompile(`^POST|PUT|PATCH|DELETE$`)

// finish adds what a client says by itself, if complete says so, and spells the
// body as it is sent.
func (r *crsRequest) finish(complete bool) {
	if r.data != "" && complete {
		if !r.has("Content-Type", nil) {
			r.fields = append(r.fields, [2]string{"Content-Type", formType})
		}
		if r.has("Content-Type", func(v string) bool { return strings.EqualFold(v, formType) }) {
			r.data = escapedForm(r.data)
		}
	}
	if r.has("Content-Type", func(v string) bool { return strings.Contains(strings.ToLower(v), "multipart/form-data;") }) {
		r.data = strings.ReplaceAll(r.data, "\n", "\r\n")
	}
	if !complete {
		return
	}
	if !r.has("Connection", nil) {
		r.fields = append(r.fields, [2]string{"Connection", "close"})
	}
	if !r.has("Content-Length", nil) && (r.data != "" || withBody.MatchString(r.method)) {
		r.fields = append(r.fields, [2]string{"Content-Length", strconv.Itoa(len(r.data))})
	}
}

const formType = "application/x-www-form-urlencoded"

// has tells whether there is a field of the name whose value is as wanted.
func (r *crsRequest) has(name string, wanted func(string) bool) bool {
	for _, f := range r.fields {
		if strings.EqualFold(f[0], name) && (wanted == nil || wanted(f[1])) {
			return true
		}
	}
	return false
}

// escapedForm is a form in which names and values are escaped, unless they are
// already: most cases write them as they are meant.
func escapedForm(data string) string {
	if plain, err := url.QueryUnescape(data); err != nil || plain != data {
		return data
	}
	var b strings.Builder
	for i, pair := range strings.Split(strings.TrimSuffix(data, "&"), "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, found := strings.Cut(pair, "=")
		b.WriteString(url.QueryEscape(name))
		if found {
			b.WriteString("=" + url.QueryEscape(value))
		}
	}
	return b.String()
}

func (r *crsRequest) bytes() string {
	var b strings.Builder
	b.WriteString(r.method + " " + r.target + " " + r.version + "\r\n")
	for _, f := range r.fields {
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	b.WriteString("\r\n" + r.data)
	return b.String()
}
