package wire

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portcullis/services/problem"
)

// order is a body as services define them.
type order struct {
	Room  string   `json:"room"`
	Beds  int      `json:"beds"`
	Wants []string `json:"wants"`
	Guest struct {
		Name string `json:"name"`
	} `json:"guest"`
}

func send(contentType, body string) error {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	var o order
	return Decode(httptest.NewRecorder(), r, &o)
}

func TestDecodeTakesOneJSONObject(t *testing.T) {
	for _, good := range []string{`{}`, ` {"room":"1","beds":2,"wants":["a"],"guest":{"name":"Ä"}} `, `{"room":null}`} {
		if err := send("application/json; charset=utf-8", good); err != nil {
			t.Errorf("%s was refused: %v", good, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const media = "application/json"
	for name, c := range map[string]struct {
		media, body string
		code        problem.Code
	}{
		"a form":                       {"application/x-www-form-urlencoded", `{}`, problem.UnsupportedMedia},
		"no content type":              {"", `{}`, problem.UnsupportedMedia},
		"nothing":                      {media, ``, problem.BadRequest},
		"half an object":               {media, `{"room":`, problem.BadRequest},
		"two objects":                  {media, `{}{}`, problem.BadRequest},
		"bytes that are not UTF-8":     {media, "{\"room\":\"\xff\"}", problem.BadRequest},
		"a list":                       {media, `[]`, problem.Unprocessable},
		"null":                         {media, `null`, problem.Unprocessable},
		"an unknown name":              {media, `{"price":1}`, problem.Unprocessable},
		"an unknown name further down": {media, `{"guest":{"price":1}}`, problem.Unprocessable},
		"a name in another case":       {media, `{"Room":"1"}`, problem.Unprocessable},
		"a name that folds into ours":  {media, `{"want\u017f":[]}`, problem.Unprocessable},
		"a name twice":                 {media, `{"room":"1","room":"2"}`, problem.Unprocessable},
		"a name twice, once escaped":   {media, `{"room":"1","\u0072oom":"2"}`, problem.Unprocessable},
		"a name twice further down":    {media, `{"guest":{"name":"a","name":"b"}}`, problem.Unprocessable},
		"an empty name":                {media, `{"":1}`, problem.Unprocessable},
		"a value of another type":      {media, `{"beds":"2"}`, problem.Unprocessable},
		"a fraction of a bed":          {media, `{"beds":1.5}`, problem.Unprocessable},
		"nesting without end":          {media, `{"wants":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, problem.Unprocessable},
		"a byte too many":              {media, `{}` + strings.Repeat(" ", MaxBody-1), problem.BodyTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := send(c.media, c.body)
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != c.code {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
	if err := send(media, `{}`+strings.Repeat(" ", MaxBody-2)); err != nil {
		t.Errorf("a body of exactly the bound was refused: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"room":"1","beds":2}`, `{"room":"1","ROOM":"2"}`, `{"guest":{"name":"x"}}`, `[1]`, `{"a":[{"b":{}}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var o order
		if err := decode(body, &o); err != nil {
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Status() < 400 || p.Status() > 499 {
				t.Fatalf("%q: %v is not a client's problem", body, err)
			}
			return
		}
		// What was taken has one reading: writing it and reading it again agree.
		again, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := decode(again, &order{}); err != nil {
			t.Fatalf("%q became %s, which is refused: %v", body, again, err)
		}
	})
}

func TestAHandlersErrorsBecomeProblems(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		logged bool
	}{
		"a problem is written as it stands":  {problem.New(problem.Conflict, "taken"), 409, false},
		"anything else is internal":          {errors.New("disk on fire at 10.0.0.1"), 500, true},
		"a problem of our own making is too": {problem.New(problem.Unavailable, "").Because(errors.New("10.0.0.1")), 503, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			w := httptest.NewRecorder()
			Handler(slog.New(slog.NewTextHandler(&log, nil)), func(http.ResponseWriter, *http.Request) error { return c.err })(w, httptest.NewRequest(http.MethodGet, "/", nil))
			p, err := problem.Read(w.Result())
			if err != nil || p.Status() != c.status {
				t.Errorf("answered %v, %v, want %d", p, err, c.status)
			}
			if strings.Contains(w.Body.String(), "10.0.0.1") {
				t.Errorf("the cause leaks: %s", w.Body)
			}
			if (log.Len() > 0) != c.logged {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}

func TestTheRoutersOwnAnswersAreProblems(t *testing.T) {
	r := Router()
	r.Get("/rooms/{room}", func(w http.ResponseWriter, _ *http.Request) { _ = Answer(w, http.StatusOK, order{}) })
	r.Delete("/rooms/{room}", func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/rooms/1", 200, ""},
		{http.MethodHead, "/rooms/1", 200, ""},
		{http.MethodGet, "/floors", 404, ""},
		{http.MethodPost, "/rooms/1", 405, "GET, HEAD, DELETE"},
		{http.MethodPost, "/rooms/a%2Fb", 405, "GET, HEAD, DELETE"},
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		resp := w.Result()
		if resp.StatusCode != c.status || resp.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, resp.StatusCode, resp.Header.Get("Allow"))
		}
		if c.status >= 400 {
			if _, err := problem.Read(resp); err != nil {
				t.Errorf("%s %s: %v", c.method, c.path, err)
			}
		} else if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be cached", c.method, c.path)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}
