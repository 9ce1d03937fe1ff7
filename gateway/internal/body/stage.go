package body

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Stage is the name of the stage.
const Stage = "validate"

// Config is what a stage is made from.
type Config struct {
	Schema *Schema
	// Place is where the policy asks for it: "routes/notes.yaml:12".
	Place string
	// Shadow says that nothing is denied. Denials and Faults count what would
	// have been; they may be nil.
	Shadow          bool
	Denials, Faults pipeline.Counter
}

// NewStage returns the stage that denies a request whose body does not fit a
// schema. In shadow it only looks at a body that passes; else it has it read
// into tx.Body.
func NewStage(c Config) pipeline.Stage { return &stage{c} }

type stage struct{ Config }

func (*stage) Name() string { return Stage }

func (s *stage) Decide(tx *pipeline.Transaction) error {
	if !s.Shadow {
		err := tx.ReadBody(MaxBody)
		if err == nil {
			err = s.judge(tx, tx.Body)
		}
		if err != nil {
			tx.Rule = Stage
		}
		return err
	}
	tx.WatchBody(MaxBody, func(body []byte, err error) {
		if err == nil {
			err = s.judge(tx, body)
		} else {
			tx.Validation = pipeline.Validation{Ran: true, Wrong: err.Error()}
			err = problem.New(problem.BodyTooLarge, "")
		}
		s.record(tx, err)
	})
	return nil
}

// record tells what would have come of a request.
func (s *stage) record(tx *pipeline.Transaction, err error) {
	if err == nil {
		return
	}
	would, count := pipeline.Deny, s.Denials
	if _, denied := errors.AsType[*problem.Problem](err); !denied {
		would, count = pipeline.Fault, s.Faults
	}
	tx.WouldHave(pipeline.Shadow{Stage: Stage, Rule: Stage, Place: s.Place, Would: would, Count: count})
}

// judge returns a problem when the body is not what it should be; any other
// error, also for a panic of the library, is a fault.
func (s *stage) judge(tx *pipeline.Transaction, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("validating a body: panic: %v", p)
		}
	}()
	tx.Validation.Ran = true
	if len(body) == 0 {
		if !carries(tx.Request.Method) {
			return nil
		}
		tx.Validation.Wrong = "there is no body"
		return problem.New(problem.BadRequest, "The request needs a JSON body.")
	}
	if wrong := media(tx.Request.Header); wrong != "" {
		tx.Validation.Wrong = wrong
		return problem.New(problem.UnsupportedMedia, wrong)
	}
	wrong, err := s.Schema.check(body)
	if u, ok := errors.AsType[*unfit](err); ok {
		tx.Validation.Wrong = "the body " + u.what
		return problem.New(problem.BadRequest, "The body "+u.what+".")
	}
	if err != nil || wrong == "" {
		return err
	}
	tx.Validation.Wrong = wrong
	return problem.New(problem.Unprocessable, "The body does not fit: "+wrong+".")
}

// carries reports whether requests of a method have a body that means something
// (RFC 9110 section 9.3).
func carries(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// media says what is wrong with the fields that tell how a body is to be read,
// or "". Exactly one Content-Type must say JSON: a service that reads the body as
// something else reads what was not validated.
func media(h http.Header) string {
	const wanted = "The body must be JSON, with one Content-Type that says so."
	types := h["Content-Type"]
	if len(types) != 1 {
		return wanted
	}
	media, params, err := mime.ParseMediaType(types[0])
	switch {
	case err != nil, media != "application/json" && !(strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")):
		return wanted
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return "JSON is UTF-8; the Content-Type says otherwise."
	case len(h["Content-Encoding"]) > 0:
		return "The body must not be compressed."
	}
	return ""
}

// Explain reports whether the body fits.
func (s *stage) Explain(tx *pipeline.Transaction, d pipeline.Decision) []pipeline.Reason {
	r := pipeline.Reason{
		Text: "the body fits " + s.Schema.name, State: pipeline.Holds, Value: tx.Validation.Wrong, Place: s.Place, Shadow: s.Shadow,
	}
	if !tx.Validation.Ran {
		r.State = pipeline.Unasked // in shadow, of a body that did not pass as a whole
	}
	would := pipeline.Allow
	if d.Stage == Stage {
		would = d.Kind
	}
	for _, shadow := range tx.Shadows {
		if shadow.Stage == Stage {
			would = shadow.Would
		}
	}
	switch would {
	case pipeline.Deny:
		r.State, r.Mend = pipeline.Fails, "a body that fits "+s.Schema.name
	case pipeline.Fault:
		r.State = pipeline.Broken
	}
	return []pipeline.Reason{r}
}
