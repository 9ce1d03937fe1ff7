package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

const note = `{
	"type": "object",
	"required": ["hotel", "guests"],
	"additionalProperties": false,
	"properties": {
		"hotel": {"type": "string", "pattern": "^h-[0-9]+$"},
		"guests": {"type": "integer", "minimum": 1, "maximum": 8},
		"note": {"type": "string", "maxLength": 20},
		"from": {"type": "string", "format": "date"},
		"contact": {"anyOf": [{"type": "string", "format": "email"}, {"$ref": "#/$defs/phone"}]},
		"rooms": {"type": "array", "items": {"type": "object", "required": ["kind"]}}
	},
	"$defs": {"phone": {"type": "integer"}}
}`

func schema(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := NewSchema("bodies/note.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send makes the transaction of a request with a JSON body of unknown length.
func send(method, body string) *pipeline.Transaction {
	r := httptest.NewRequest(method, "/v1/notes", io.MultiReader(strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	return &pipeline.Transaction{Request: r}
}

func decide(tx *pipeline.Transaction, c Config) pipeline.Decision {
	tx.Route = &pipeline.Route{Name: "create-note", Stages: []pipeline.Stage{NewStage(c)}}
	return pipeline.Decide(tx)
}

func TestBodies(t *testing.T) {
	s := schema(t, note)
	for name, tc := range map[string]struct {
		body string
		want problem.Code
		says string
	}{
		"one that fits":                             {`{"hotel": "h-1", "guests": 2, "from": "2027-01-10", "contact": 358401234567}`, "", ""},
		"an integer written as a decimal":           {`{"hotel": "h-1", "guests": 2.0}`, "", ""},
		"one with a member too few":                 {`{"hotel": "h-1"}`, problem.Unprocessable, `The body does not fit: the body lacks "guests".`},
		"one with a member too many":                {`{"hotel": "h-1", "guests": 2, "admin": true}`, problem.Unprocessable, "The body does not fit: /admin is not known here."},
		"a number too large":                        {`{"hotel": "h-1", "guests": 9}`, problem.Unprocessable, "The body does not fit: /guests breaks maximum."},
		"a text in place of a number":               {`{"hotel": "h-1", "guests": "4111 1111"}`, problem.Unprocessable, "The body does not fit: /guests must be of type integer."},
		"a text that has another form":              {`{"hotel": "Kämp", "guests": 2}`, problem.Unprocessable, "The body does not fit: /hotel breaks pattern."},
		"a date that is none":                       {`{"hotel": "h-1", "guests": 2, "from": "2027-02-30"}`, problem.Unprocessable, "The body does not fit: /from must have the format date."},
		"a member that is none of its alternatives": {`{"hotel": "h-1", "guests": 2, "contact": "maija"}`, problem.Unprocessable, "The body does not fit: /contact fits none, or not just one, of what it may be."},
		"an element of a list":                      {`{"hotel": "h-1", "guests": 2, "rooms": [{"kind": 1}, {}]}`, problem.Unprocessable, `The body does not fit: /rooms/1 lacks "kind".`},
		"several things wrong, of which three are told": {`{"guests": 0, "note": "` + strings.Repeat("x", 21) + `", "from": 1, "rooms": {}}`, problem.Unprocessable,
			"The body does not fit: /from must be of type string; /guests breaks minimum; /note breaks maxLength; and 2 more."},
		"a name with what a page could act on":           {`{"hotel": "h-1", "guests": 2, "a/~\u0007\u202e<b>": 1}`, problem.Unprocessable, "The body does not fit: /a~1~0??<b> is not known here."},
		"one that is no JSON":                            {`{"hotel": `, problem.BadRequest, "The body is not valid JSON."},
		"JSON with something after it":                   {`{"hotel": "h-1", "guests": 2} {}`, problem.BadRequest, "The body is not valid JSON."},
		"text that is no UTF-8":                          {"{\"hotel\": \"h-1\", \"guests\": 2, \"note\": \"\xff\"}", problem.BadRequest, "The body is not valid JSON."},
		"a member that stands twice":                     {`{"hotel": "h-1", "guests": 2, "guests": 200}`, problem.BadRequest, "The body has a member twice: /guests."},
		"a member that stands twice, once escaped":       {`{"hotel": "h-1", "guests": 2, "gu\u0065sts": 200}`, problem.BadRequest, "The body has a member twice: /guests."},
		"a member that stands twice, once in capitals":   {`{"hotel": "h-1", "guests": 2, "Guests": 200}`, problem.BadRequest, "The body has a member twice: /Guests."},
		"a member that stands twice, once with a long s": {`{"hotel": "h-1", "guests": 2, "guest\u017f": 200}`, problem.BadRequest, "The body has a member twice: /guestſ."},
		"a member in another case than the schema's":     {`{"rooms": [{"kind": "single", "Kind2": 1}], "HOTEL": "h-1"}`, problem.BadRequest, `The body has a member that differs from "hotel" only in case: /HOTEL.`},
		"a member that stands twice, further in":         {`{"rooms": [{"kind": {"a": 1, "a": 1}}]}`, problem.BadRequest, "The body has a member twice: /rooms/0/kind/a."},
		"a number that some read as endless":             {`{"hotel": "h-1", "guests": 1e309}`, problem.BadRequest, "The body has a number out of range at /guests."},
		"a number that some read as zero":                {`{"hotel": "h-1", "guests": -2.5E-400}`, problem.BadRequest, "The body has a number out of range at /guests."},
		"zero with an exponent":                          {`{"hotel": "h-1", "guests": 0.0e-999999999}`, problem.Unprocessable, "The body does not fit: /guests breaks minimum."},
		"a number of a million digits":                   {`{"hotel": "h-1", "guests": 1e999999}`, problem.BadRequest, "The body has a number out of range at /guests."},
		"a number as long as a body":                     {`{"hotel": "h-1", "guests": 1` + strings.Repeat("0", 64) + `}`, problem.BadRequest, "The body has a number out of range at /guests."},
		"a tower of lists":                               {strings.Repeat("[", 65) + strings.Repeat("]", 65), problem.BadRequest, "The body is nested deeper than 64 levels."},
		"more values than are looked at":                 {"[" + strings.Repeat("1,", maxValues) + "1]", problem.BadRequest, "The body has more than 10000 values."},
		"none at all":                                    {"", problem.BadRequest, "The request needs a JSON body."},
		"one that is longer than is read":                {`{"note": "` + strings.Repeat("x", MaxBody) + `"}`, problem.BodyTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tx := send("POST", tc.body)
			d := decide(tx, Config{Schema: s})
			if tc.want == "" {
				if d.Kind != pipeline.Allow || d.Rule != "" || !tx.Buffered || string(tx.Body) != tc.body {
					t.Fatalf("%+v", d)
				}
				return
			}
			if d.Kind != pipeline.Deny || d.Stage != "validate" || d.Rule != "validate" || d.Problem.Code != tc.want || d.Problem.Detail != tc.says {
				t.Errorf("%+v\n%v, want %s: %s", d, d.Problem, tc.want, tc.says)
			}
		})
	}
}

func TestWhatIsNotSentAsJSONIsRefused(t *testing.T) {
	s := schema(t, `{}`)
	for name, tc := range map[string]struct {
		name   string
		values []string
		want   problem.Code
	}{
		"JSON of a vendor":           {"Content-Type", []string{"application/vnd.hotel+json"}, ""},
		"JSON that says its charset": {"Content-Type", []string{"application/json; charset=UTF-8"}, ""},
		"JSON of another charset":    {"Content-Type", []string{"application/json; charset=utf-7"}, problem.UnsupportedMedia},
		"a text":                     {"Content-Type", []string{"text/plain"}, problem.UnsupportedMedia},
		"a type that ends alike":     {"Content-Type", []string{"text/x+json"}, problem.UnsupportedMedia},
		"no type":                    {"Content-Type", nil, problem.UnsupportedMedia},
		"two types":                  {"Content-Type", []string{"application/json", "application/x-www-form-urlencoded"}, problem.UnsupportedMedia},
		"a type that cannot be read": {"Content-Type", []string{"application/json; ="}, problem.UnsupportedMedia},
		"a compressed body":          {"Content-Encoding", []string{"gzip"}, problem.UnsupportedMedia},
	} {
		t.Run(name, func(t *testing.T) {
			tx := send("POST", `{}`)
			tx.Request.Header[tc.name] = tc.values
			d := decide(tx, Config{Schema: s})
			if tc.want == "" && d.Kind != pipeline.Allow || tc.want != "" && (d.Problem == nil || d.Problem.Code != tc.want) {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestARequestThatNeedsNoBodyMayGoWithout(t *testing.T) {
	s := schema(t, note)
	for method, want := range map[string]pipeline.Kind{"GET": pipeline.Allow, "DELETE": pipeline.Allow, "POST": pipeline.Deny, "PUT": pipeline.Deny, "PATCH": pipeline.Deny} {
		tx := send(method, "")
		tx.Request.Header.Del("Content-Type")
		if d := decide(tx, Config{Schema: s}); d.Kind != want {
			t.Errorf("%s: %+v", method, d)
		}
	}
	if d := decide(send("DELETE", "{}"), Config{Schema: s}); d.Kind != pipeline.Deny {
		t.Error("a body that a DELETE has is not looked at")
	}
}

func TestASchemaThatCannotBeUsedIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no JSON":                            {`{`, "the schema bodies/note.json is not valid JSON"},
		"a member twice":                     {`{"type": "object", "type": "string"}`, "has a member twice: /type"},
		"a keyword with a value of no sense": {`{"type": "objekt"}`, "bodies/note.json is not a JSON Schema: /type fits none"},
		"a pattern that cannot be compiled":  {`{"pattern": "(?=x)"}`, "regex"},
		"a part that is not there":           {`{"$ref": "#/$defs/guest"}`, "$defs/guest"},
		"another file":                       {`{"$ref": "other.json"}`, "may refer only to parts of itself"},
		"a file of the machine":              {`{"$ref": "file:///etc/passwd"}`, "may refer only to parts of itself"},
		"a page of the net":                  {`{"$ref": "https://schemas.example/guest.json"}`, "may refer only to parts of itself"},
		"a dialect of the net":               {`{"$schema": "https://schemas.example/dialect"}`, "may refer only to parts of itself"},
		"more than is read":                  {`{"$comment": "` + strings.Repeat("x", MaxSchema) + `"}`, "at most 262144 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSchema("bodies/note.json", []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// tally is a counter of a test.
type tally int

func (c *tally) Inc() { *c++ }

func TestInShadowNothingIsDeniedAndTheBodyStaysAsItWas(t *testing.T) {
	s := schema(t, note)
	for name, tc := range map[string]struct {
		body  string
		would bool
		state pipeline.State
		value string
	}{
		"a body that fits":                {`{"hotel": "h-1", "guests": 2}`, false, pipeline.Holds, ""},
		"a body that does not":            {`{"hotel": "h-1"}`, true, pipeline.Fails, `the body lacks "guests"`},
		"a body that is no JSON":          {`{`, true, pipeline.Fails, "the body is not valid JSON"},
		"a body longer than is validated": {`{"note": "` + strings.Repeat("x", MaxBody) + `"}`, true, pipeline.Fails, "the body is longer than may be inspected"},
		"no body":                         {"", true, pipeline.Fails, "there is no body"},
	} {
		t.Run(name, func(t *testing.T) {
			var count, faults tally
			tx := send("POST", tc.body)
			d := decide(tx, Config{Schema: s, Place: "routes/notes.yaml:12", Shadow: true, Denials: &count, Faults: &faults})
			if d.Kind != pipeline.Allow || tx.Buffered || tx.Rule != "" {
				t.Fatalf("%+v, buffered %v", d, tx.Buffered)
			}
			if passed, err := io.ReadAll(tx.Request.Body); err != nil || string(passed) != tc.body {
				t.Fatalf("%d of %d bytes pass, %v", len(passed), len(tc.body), err)
			}
			tx.Done()
			var want []pipeline.Shadow
			if tc.would {
				want = []pipeline.Shadow{{Stage: "validate", Rule: "validate", Place: "routes/notes.yaml:12", Would: pipeline.Deny, Count: &count}}
			}
			if diff := cmp.Diff(want, tx.Shadows); diff != "" || faults != 0 {
				t.Error(diff)
			}
			r := pipeline.Explain(tx, d)[0].Under[0]
			if r.State != tc.state || r.Value != tc.value || !r.Shadow || r.Place != "routes/notes.yaml:12" {
				t.Errorf("explained: %+v", r)
			}
		})
	}
}

func TestABodyThatNeverPassedIsNotJudged(t *testing.T) {
	tx := send("POST", `{}`)
	d := decide(tx, Config{Schema: schema(t, note), Shadow: true})
	tx.Done()
	if len(tx.Shadows) != 0 || pipeline.Explain(tx, d)[0].Under[0].State != pipeline.Unasked {
		t.Errorf("recorded %+v", tx.Shadows)
	}
}

func TestExplainTellsWhatIsWrong(t *testing.T) {
	tx := send("POST", `{"hotel": "h-1", "guests": "4111 1111"}`)
	d := decide(tx, Config{Schema: schema(t, note), Place: "routes/notes.yaml:12"})
	want := []pipeline.Reason{{
		Text: "the body fits bodies/note.json", State: pipeline.Fails, Value: "/guests must be of type integer", Place: "routes/notes.yaml:12", Mend: "a body that fits bodies/note.json",
	}}
	if diff := cmp.Diff(want, pipeline.Explain(tx, d)[0].Under); diff != "" {
		t.Error(diff)
	}
}

func TestAPanicWhileValidatingIsAFault(t *testing.T) {
	tx := send("POST", `{}`)
	d := decide(tx, Config{Schema: &Schema{name: "broken"}})
	if d.Kind != pipeline.Fault || d.Problem.Status() != 503 {
		t.Errorf("%+v", d)
	}
	var faults tally
	tx = send("POST", "{}")
	d = decide(tx, Config{Schema: &Schema{name: "broken"}, Shadow: true, Faults: &faults})
	_, _ = io.ReadAll(tx.Request.Body)
	tx.Done()
	if d.Kind != pipeline.Allow || faults != 1 || tx.Shadows[0].Would != pipeline.Fault {
		t.Errorf("in shadow: %+v, %+v", d, tx.Shadows)
	}
}

// No text makes validation panic, and what decodes is what the standard
// library makes of it.
func FuzzBody(f *testing.F) {
	s, err := NewSchema("note.json", []byte(note))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{`{"hotel":"h-1","guests":2}`, `{"a":{"a":1,"a":2}}`, `[1e400,-0,1e-401]`, `"\ud800"`, "\xff", `{"rooms":[{"kind":[]}]}`, `[]]`, `1 2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := s.check(text); err != nil {
			if _, ok := errors.AsType[*unfit](err); !ok {
				t.Fatal(err)
			}
		}
		got, err := decode(text, nil)
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q: decoded what is no JSON: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
	})
}
