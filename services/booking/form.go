package booking

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	// formBytes bounds a form; the longest has a note of 500 runes in it.
	formBytes = 16 << 10
	// formFields bounds how many fields it has; ours have fifteen.
	formFields = 32
)

// form is what was sent, each field once: with two of a name, what inspected
// the request on its way may have looked at the other one.
type form map[string]string

var errForm = errors.New("the form cannot be read")

// readForm reads the body as a form.
func (v *visit) readForm() (form, error) {
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, errForm
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, formBytes)
	if err := v.r.ParseForm(); err != nil {
		return nil, errForm
	}
	return single(v.r.PostForm)
}

// query reads the parameters of the URL.
func (v *visit) query() (form, error) {
	values, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return nil, errForm
	}
	return single(values)
}

func single(values url.Values) (form, error) {
	if len(values) > formFields {
		return nil, errForm
	}
	f := make(form, len(values))
	for name, all := range values {
		if len(all) != 1 || !clean(name) || !clean(all[0]) {
			return nil, errForm
		}
		// Browsers send line ends of a text field as CR LF.
		f[name] = strings.TrimSpace(strings.ReplaceAll(all[0], "\r\n", "\n"))
	}
	return f, nil
}

// clean reports whether text is UTF-8 without control characters but line ends
// and tabs.
func clean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f
	})
}

// line reports whether text fits one line of at most most runes.
func line(text string, most int) bool {
	return utf8.RuneCountInString(text) <= most && !strings.ContainsAny(text, "\r\n\t")
}
