package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"portcullis/gateway/internal/reload"
	"portcullis/policies/policy"
)

// Reloaded is the answer to a reload: the policy in force after it, and why it
// is not the one that was to be.
type Reloaded struct {
	Policy reload.Status `json:"policy"`
	// Policies is the folder that was read, as an absolute path.
	Policies string          `json:"policies"`
	Refused  bool            `json:"refused"`
	Mistakes policy.Mistakes `json:"mistakes,omitempty"`
	// Error is why it was refused, if that is no mistake in a file.
	Error string `json:"error,omitempty"`
}

// asked is the body of a reload; an empty one asks for nothing special.
type asked struct {
	// SkipTests is the reason to take the policy untested.
	SkipTests *string `json:"skip_tests"`
}

// reload answers 200 when the files are in force, 422 when they were refused.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	a, err := readAsked(http.MaxBytesReader(w, r.Body, bodyMost))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if a.SkipTests == nil {
		err = s.reloader.Load("control")
	} else {
		err = s.reloader.LoadUntested("control", *a.SkipTests)
	}
	done := Reloaded{Policy: s.reloader.Status(), Policies: s.policies}
	if err == nil {
		answer(w, http.StatusOK, done)
		return
	}
	done.Refused = true
	if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
		done.Mistakes = mistakes
	} else {
		done.Error = err.Error()
	}
	answer(w, http.StatusUnprocessableEntity, done)
}

func readAsked(body io.Reader) (a asked, err error) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		return a, fmt.Errorf(`the body is not {"skip_tests": "REASON"}: %w`, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("the body holds more than one value")
	}
	if a.SkipTests != nil {
		return a, CheckReason(*a.SkipTests)
	}
	return a, nil
}

// reasonMost bounds a reason, in bytes: it stands in a log line and in /status.
const reasonMost = 200

// CheckReason reports whether a reason to skip tests is one line that says
// something.
func CheckReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errors.New("tests are skipped for a reason: say which")
	case len(reason) > reasonMost:
		return fmt.Errorf("the reason is %d bytes long; %d is the most", len(reason), reasonMost)
	case strings.ContainsFunc(reason, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return errors.New("the reason is not one line of text")
	}
	return nil
}
