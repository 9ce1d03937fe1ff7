package problem_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/services/problem"
)

func answer(status int, contentType, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, code := range codes() {
		w := httptest.NewRecorder()
		sent := problem.New(code, "details for the caller").With("Retry-After", "3").With("X-Other", "stays behind")
		problem.Write(w, httptest.NewRequest("GET", "/", nil), sent, requestID)
		got, err := problem.Read(w.Result())
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		want := problem.New(code, "details for the caller").With("Retry-After", "3")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
	}
}

func TestTheStatusOutranksTheBody(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   problem.Code
	}{
		{"an unknown code", 409, `{"code":"sold_out"}`, problem.Conflict},
		{"no code", 404, `{}`, problem.NotFound},
		{"a code of another status", 503, `{"code":"not_found"}`, problem.Unavailable},
		{"a more precise code of that status", 503, `{"code":"overloaded"}`, problem.Overloaded},
		{"a status without a code, below 500", 418, `{"code":"teapot"}`, problem.BadRequest},
		{"a status without a code, from 500", 507, `{"code":"disk_full"}`, problem.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := problem.Read(answer(c.status, "application/problem+json; charset=utf-8", c.body))
			if err != nil {
				t.Fatal(err)
			}
			if p.Code != c.want {
				t.Errorf("code %s, want %s", p.Code, c.want)
			}
		})
	}
}

func TestEveryStatusOfACodeLeadsBackToThatStatus(t *testing.T) {
	for _, code := range codes() {
		if got := problem.ForStatus(code.Status()); got.Status() != code.Status() {
			t.Errorf("status %d becomes %s with %d", code.Status(), got, got.Status())
		}
	}
}

func TestWhatIsNotAProblemIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		resp *http.Response
		is   error
	}{
		{"plain JSON", answer(404, "application/json", `{"code":"not_found"}`), problem.ErrNotProblem},
		{"a page", answer(404, "text/html", "<html>"), problem.ErrNotProblem},
		{"a success", answer(200, "application/problem+json", `{"code":"not_found"}`), problem.ErrNotProblem},
		{"no content type", answer(404, "", ""), problem.ErrNotProblem},
		{"broken JSON", answer(404, "application/problem+json", `{"code":`), nil},
		{"a body that never ends", answer(404, "application/problem+json", `{"detail":"`+strings.Repeat("x", 1<<20)+`"}`), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := problem.Read(c.resp)
			if err == nil {
				t.Fatalf("read as %v", p)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want %v", err, c.is)
			}
		})
	}
}

func TestADetailTooLongToBeOneIsDropped(t *testing.T) {
	p, err := problem.Read(answer(404, "application/problem+json", `{"code":"not_found","detail":"`+strings.Repeat("x", 2000)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Detail != "" {
		t.Errorf("a detail of %d bytes is passed on", len(p.Detail))
	}
}

// Whatever an answer holds, its status is what the caller goes by.
func FuzzRead(f *testing.F) {
	f.Add(404, []byte(`{"type":"urn:x","title":"t","status":404,"detail":"d","code":"not_found"}`))
	f.Add(503, []byte(`{"code":"overloaded","status":200}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := answer(status, "application/problem+json", "")
		resp.Body = io.NopCloser(bytes.NewReader(body))
		p, err := problem.Read(resp)
		if err != nil {
			return
		}
		if (p.Status() >= 500) != (status >= 500) {
			t.Errorf("status %d was read as %d", status, p.Status())
		}
	})
}
