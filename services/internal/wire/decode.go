package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"portcullis/services/problem"
)

const (
	// MaxBody bounds a request body, in bytes. The largest of ours, a hundred
	// hotels to look up, has a tenth of it.
	MaxBody = 64 << 10
	// maxDepth bounds nesting; our deepest body has three levels.
	maxDepth = 8
)

// Decode reads the request body, one JSON object, into v. It is strict, because
// whatever inspected the request on its way here must have seen what we see: no
// unknown name, no name twice, none that differs from ours in case, nothing
// after the object. Its error is always a *problem.Problem.
func Decode(w http.ResponseWriter, r *http.Request, v any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return problem.New(problem.UnsupportedMedia, "Send the body as application/json.").With("Accept", "application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return problem.New(problem.BodyTooLarge, fmt.Sprintf("The body may have at most %d bytes.", MaxBody))
	}
	if err != nil {
		return problem.New(problem.BadRequest, "The body ended before it was complete.").Because(err)
	}
	return decode(body, v)
}

// decode returns a *problem.Problem or nil as error.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return problem.New(problem.BadRequest, "The body is not UTF-8.")
	}
	if !json.Valid(body) {
		return problem.New(problem.BadRequest, "The body is not one JSON value.")
	}
	if first := bytes.TrimLeft(body, " \t\r\n"); first[0] != '{' {
		return problem.New(problem.Unprocessable, "The body must be a JSON object.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := names(d, 0); err != nil {
		return Unprocessable(err)
	}
	d = json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return problem.New(problem.Unprocessable, explain(err)).Because(err)
	}
	return nil
}

// names walks one value and refuses names that encoding/json would take although
// they are not ours to the letter, or take twice and keep the last.
func names(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("the body is nested more than %d levels deep", maxDepth)
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := token.(string)
			switch {
			case !ours(name):
				return fmt.Errorf("the name %.40q is unknown here", name)
			case seen[name]:
				return fmt.Errorf("the name %q occurs twice", name)
			}
			seen[name] = true
		}
		if err := names(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return err
}

// ours reports whether a name is made of what all our names are made of. What
// encoding/json folds together (NOTE, or a long s for an s) never is.
func ours(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// explain says in the caller's words what encoding/json says in Go's.
func explain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("The value of %q cannot be a %s.", wrong.Field, wrong.Value)
	}
	// The decoder's other errors name an unknown field, or come from a value's
	// own parser and are written for people.
	return sentence(err)
}

// Unprocessable is the answer to a body that is well-formed but asks for what
// cannot be; why is fit for the caller's eyes.
func Unprocessable(why error) error { return problem.New(problem.Unprocessable, sentence(why)) }

// sentence makes an error's text a public sentence.
func sentence(err error) string {
	text := err.Error()
	const prefix = "json: "
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		text = text[len(prefix):]
	}
	if text[0] >= 'a' && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text + "."
}
