package problem_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/services/problem"
)

const requestID = "0123456789abcdef0123456789abcdef"

// ask lets a real server answer with p and returns the answer and its body.
func ask(t *testing.T, method, accept string, p *problem.Problem) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"half an answer"`)
		w.Header().Set("Content-Encoding", "gzip")
		problem.Write(w, r, p, requestID)
	}))
	defer server.Close()
	req, err := http.NewRequest(method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestAProgramGetsProblemJSON(t *testing.T) {
	p := problem.New(problem.InsufficientScope, "the scope reservations:write is required").
		Because(errors.New("token 7 of client kiosk, rule at routes.yaml:3"))
	resp, body := ask(t, "GET", "application/json", p)

	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	want := map[string]any{
		"type":       "urn:portcullis:problem:insufficient_scope",
		"title":      "The access token lacks a required scope",
		"status":     403.0,
		"detail":     "the scope reservations:write is required",
		"code":       "insufficient_scope",
		"request_id": requestID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if resp.StatusCode != 403 {
		t.Errorf("status %d", resp.StatusCode)
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/problem+json",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
		"Vary":                   "Accept",
		"Etag":                   "",
		"Content-Encoding":       "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestTheCauseNeverLeaves(t *testing.T) {
	p := problem.New(problem.Internal, "").Because(errors.New("dial tcp 10.1.2.3:5432: password xyzzy"))
	for _, accept := range []string{"application/json", "text/html"} {
		resp, body := ask(t, "GET", accept, p)
		if strings.Contains(body, "xyzzy") || strings.Contains(body, "10.1.2.3") {
			t.Errorf("the body tells the private cause: %s", body)
		}
		for name, values := range resp.Header {
			if strings.Contains(strings.Join(values, " "), "xyzzy") {
				t.Errorf("%s tells the private cause", name)
			}
		}
	}
	if !strings.Contains(p.Error(), "xyzzy") {
		t.Error("the log does not learn the cause")
	}
}

func TestAPersonGetsAPage(t *testing.T) {
	browser := "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	p := problem.New(problem.NotFound, `no room "<script>alert(1)</script>"`)
	resp, body := ask(t, "GET", browser, p)
	if got := resp.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	for _, want := range []string{"<h1>There is nothing here</h1>", "404 not_found", requestID, "&lt;script&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") {
		t.Errorf("the page runs what the detail says:\n%s", body)
	}
}

func TestAPersonIsToldWhatToDo(t *testing.T) {
	for _, c := range []struct {
		p    *problem.Problem
		want string
	}{
		{problem.New(problem.TooManyRequests, "").With("Retry-After", "7"), "Wait 7 seconds, then load this page again. Your browser still has what you typed."},
		{problem.New(problem.UpstreamBroken, "").With("Retry-After", "300"), "It is not your fault. Wait 5 minutes,"},
		{problem.New(problem.GatewayTimeout, ""), "Wait a moment,"},
		{problem.New(problem.Overloaded, "").With("Retry-After", "soon<script>"), "Wait a moment,"},
		{problem.New(problem.WAFDenied, ""), "try it in other words"},
		{problem.New(problem.NotFound, ""), "Check the address"},
	} {
		if _, body := ask(t, "GET", "text/html", c.p); !strings.Contains(body, c.want) || strings.Contains(body, "<script") || strings.Contains(body, "gateway</h1>") {
			t.Errorf("%s: the page lacks %q:\n%s", c.p.Code, c.want, body)
		}
	}
}

// The page must look right under its own policy: the hash in the policy is that
// of the style as a browser reads it, and nothing else inline is there.
func TestThePageObeysItsOwnPolicy(t *testing.T) {
	resp, body := ask(t, "GET", "text/html", problem.New(problem.Forbidden, ""))
	_, rest, _ := strings.Cut(body, "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style))
	hash := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	policy := resp.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, hash) {
		t.Errorf("policy %q, want default-src 'none' and %s", policy, hash)
	}
	if strings.Contains(body, "style=") || strings.Count(body, "<style") != 1 {
		t.Error("the page has styles that its policy forbids")
	}
}

func TestFieldsOfTheProblemAreSent(t *testing.T) {
	p := problem.New(problem.InvalidToken, "").
		With("WWW-Authenticate", `Bearer realm="api"`).
		With("WWW-Authenticate", `DPoP algs="ES256"`).
		With("Cache-Control", "max-age=60").
		With("Content-Type", "text/plain")
	resp, _ := ask(t, "GET", "", p)
	if diff := cmp.Diff([]string{`Bearer realm="api"`, `DPoP algs="ES256"`}, resp.Header.Values("WWW-Authenticate")); diff != "" {
		t.Error(diff)
	}
	if got := resp.Header.Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" {
		t.Errorf("a problem may be stored: %q", got)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a problem claims to be %q", got)
	}
}

func TestWritingDoesNotChangeASharedProblem(t *testing.T) {
	p := problem.New(problem.TooManyRequests, "").With("Retry-After", "1")
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	problem.Write(w, r, p, requestID)
	w.Header().Add("Retry-After", "2")
	w.Header()["Retry-After"][0] = "3"
	if diff := cmp.Diff(http.Header{"Retry-After": {"1"}}, p.Header); diff != "" {
		t.Error(diff)
	}
}

func TestHEADGetsTheFieldsAndNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest("HEAD", "/", nil), problem.New(problem.NotFound, ""), requestID)
	if w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("status %d with a body of %d bytes", w.Code, w.Body.Len())
	}
	if n := w.Header().Get("Content-Length"); n == "" || n == "0" {
		t.Errorf("Content-Length %q is not that of the GET", n)
	}
}

func TestEveryCodeHasAStatusAndATitleOfItsOwn(t *testing.T) {
	titles := map[string]problem.Code{}
	for _, code := range codes() {
		if code != problem.Internal && code.Status() == 500 {
			t.Errorf("%s has no meaning", code)
		}
		if other, taken := titles[code.Title()]; taken {
			t.Errorf("%s and %s have the same title", code, other)
		}
		titles[code.Title()] = code
	}
}

func codes() []problem.Code {
	return []problem.Code{
		problem.BadRequest, problem.AmbiguousPath, problem.InvalidToken, problem.MissingToken,
		problem.Forbidden, problem.InsufficientScope, problem.WAFDenied, problem.NotFound,
		problem.MethodNotAllowed, problem.RequestTimeout, problem.Conflict, problem.BodyTooLarge,
		problem.UnsupportedMedia, problem.WrongHost, problem.Unprocessable, problem.TooManyRequests,
		problem.HeadersTooLarge, problem.ClientClosed, problem.Internal, problem.BadGateway,
		problem.Unavailable, problem.Overloaded, problem.IssuerUnavailable, problem.UpstreamBroken,
		problem.GatewayTimeout,
	}
}
