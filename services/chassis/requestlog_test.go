package chassis_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"portcullis/services/chassis"
)

// serve sends one request through RequestLog and returns answer, event, log.
func serve(t *testing.T, h http.HandlerFunc, r *http.Request) (*httptest.ResponseRecorder, map[string]any, string) {
	t.Helper()
	var events, log bytes.Buffer
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				t.Errorf("panic %v", p)
			}
		}()
		chassis.RequestLog(slog.New(slog.NewJSONHandler(&log, nil)), &events)(h).ServeHTTP(w, r)
	}()
	if n := strings.Count(events.String(), "\n"); n != 1 {
		t.Fatalf("%d lines: %s", n, events.String())
	}
	var event map[string]any
	if err := json.Unmarshal(events.Bytes(), &event); err != nil {
		t.Fatal(err)
	}
	return w, event, log.String()
}

func TestOneRequestIsOneEventWithoutSecrets(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/reservations?card=room-4711", strings.NewReader("note=hush"))
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("X-Request-ID", "abc-123")
	w, event, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if chassis.RequestID(r.Context()) != "abc-123" {
			t.Error("the handler does not know the request's id")
		}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "made")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}, r)
	if w.Body.String() != "made" {
		t.Errorf("body %q", w.Body.String())
	}
	for name, want := range map[string]any{
		"http.request.method": "POST", "url.path": "/v1/reservations", "http.request.id": "abc-123",
		"http.response.status_code": 201.0, "http.response.body.bytes": 4.0, "event.outcome": "success", "http.version": "1.1",
	} {
		if event[name] != want {
			t.Errorf("%s is %v, want %v", name, event[name], want)
		}
	}
	if got := fmt.Sprint(event["event.category"]); got != "[web]" {
		t.Errorf("event.category is %s, want the list [web]", got)
	}
	all, _ := json.Marshal(event)
	for _, secret := range []string{"room-4711", "hush", "secret"} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("the event tells %q: %s", secret, all)
		}
	}
}

func TestAPathCannotSteerATerminal(t *testing.T) {
	r := httptest.NewRequest("GET", "/a%C2%9B31m%1B%0A%E2%80%AEb", nil)
	_, event, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, r)
	if event["url.path"] != "/a%C2%9B31m%1B%0A%E2%80%AEb" {
		t.Errorf("path %q", event["url.path"])
	}
}

func TestWhichRequestIDsAreTaken(t *testing.T) {
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, c := range []struct {
		name string
		sent []string
		kept bool
	}{
		{"one of the gateway's", []string{"0123456789abcdef0123456789abcdef"}, true},
		{"none", nil, false},
		{"an empty one", []string{""}, false},
		{"two", []string{"a", "b"}, false},
		{"one that forges a log line", []string{"a\nb"}, false},
		{"one that is too long", []string{strings.Repeat("a", 65)}, false},
		{"one with markup", []string{"<b>"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["X-Request-Id"] = c.sent
			_, event, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if got := r.Header.Values("X-Request-ID"); len(got) != 1 || got[0] != chassis.RequestID(r.Context()) {
					t.Errorf("header %q, context %q", got, chassis.RequestID(r.Context()))
				}
			}, r)
			id, _ := event["http.request.id"].(string)
			if c.kept && id != c.sent[0] || !c.kept && !made.MatchString(id) {
				t.Errorf("id %q", id)
			}
		})
	}
}

func TestAPanicIsAProblemAndALogLine(t *testing.T) {
	w, event, log := serve(t, func(http.ResponseWriter, *http.Request) { panic("no such room") },
		httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "room") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if event["event.outcome"] != "failure" || event["http.response.status_code"] != 500.0 {
		t.Errorf("event %v", event)
	}
	if !strings.Contains(log, "no such room") || !strings.Contains(log, "requestlog_test.go") {
		t.Errorf("log %s", log)
	}
}

func TestAPanicAfterHalfAnAnswerEndsTheConnection(t *testing.T) {
	var events bytes.Buffer
	s := httptest.NewServer(chassis.RequestLog(slog.New(slog.DiscardHandler), &events)(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic("no more")
		})))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half an answer looks whole: %q", body)
	}
}

func TestAnInterimAnswerIsNotTheStatus(t *testing.T) {
	var seen bytes.Buffer
	h := chassis.RequestLog(slog.New(slog.DiscardHandler), &seen)(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		}))
	s := httptest.NewServer(h)
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.Close() // waits for the handler, and so for its event
	if !strings.Contains(seen.String(), `"http.response.status_code":404`) {
		t.Errorf("event %s", seen.String())
	}
}
