package users

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"portcullis/authserver/token"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// maxGuest bounds a subject, in bytes; ours have 28.
const maxGuest = 255

// owner is the guest whose token this is, who must be the one that the path
// names: nobody has a profile but their own.
func owner(r *http.Request) (string, error) {
	principal, ok := token.FromContext(r.Context())
	if !ok || principal.Subject == "" {
		return "", errors.New("a request without a principal got past the guard")
	}
	named, err := wire.Guest(r)
	if err != nil {
		return "", err
	}
	if named != principal.Subject {
		return "", problem.New(problem.Forbidden, "This is about another guest.")
	}
	if !validGuest(named) {
		return "", wire.Unprocessable(errors.New("this subject cannot be a guest"))
	}
	return named, nil
}

// validGuest reports whether a subject can be kept, and stand as one segment of a
// path: dots alone would be taken for a way up.
func validGuest(guest string) bool {
	return guest != "" && len(guest) <= maxGuest && clean(guest) && strings.Trim(guest, ".") != ""
}

// clean reports whether a text is UTF-8 and all of it can be seen: what cannot may
// be another line of a mail, or turn the text of a page around.
func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// path is a path of a neighbour's, about this guest.
func path(pattern, guest string) string {
	return strings.Replace(pattern, "{guest}", url.PathEscape(guest), 1)
}

// boundedText says what keeps a text of so many runes from being kept.
func boundedText(name, text string, least, most int) error {
	switch n := utf8.RuneCountInString(text); {
	case n < least:
		return fmt.Errorf("%s is missing", name)
	case n > most:
		return fmt.Errorf("%s has %d characters: at most %d fit", name, n, most)
	case !clean(text):
		return fmt.Errorf("%s holds characters that cannot be seen", name)
	}
	return nil
}
