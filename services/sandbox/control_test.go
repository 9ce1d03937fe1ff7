package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// counter is a stand-in that counts what it is asked to do, under a control.
type counter struct {
	*testing.T
	*httptest.Server
	done atomic.Int64
}

func newCounter(t *testing.T) *counter {
	c := &counter{T: t}
	c.Server = httptest.NewTLSServer(new(control).wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%d:%s", c.done.Add(1), body)
	})))
	t.Cleanup(c.Server.Close)
	return c
}

// send is the status and the body, or 0 when there was no answer.
func (c *counter) send(method, path, body string) (int, string) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	resp, err := c.Client().Do(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(said)
}

func (c *counter) tell(body string) {
	c.Helper()
	if status, said := c.send(http.MethodPut, "/control", body); status != http.StatusNoContent {
		c.Fatalf("the control answered %d: %s", status, said)
	}
}

func TestAStandInMisbehavesAsItIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told   string
		status int
		body   string
		done   int64
	}{
		"it behaves": {`{}`, 201, "1:x", 1},
		"a status is answered and nothing is done": {`{"status":503}`, 503, "told to", 0},
		"a status with a body":                     {`{"status":502,"body":"<html>"}`, 502, "<html>", 0},
		"cut does the work and answers nothing":    {`{"cut":true}`, 0, "", 1},
		"cut with a status does not do the work":   {`{"cut":true,"status":500}`, 0, "", 0},
		"twice does the work twice":                {`{"twice":true}`, 201, "2:x", 2},
		"a body in place of the answer":            {`{"body":"nonsense"}`, 201, "nonsense", 1},
		"it is slow and does the work":             {`{"delay":"1ms"}`, 201, "1:x", 1},
		"only other requests":                      {`{"status":503,"only":"GET /"}`, 201, "1:x", 1},
		"only these requests":                      {`{"status":503,"only":"POST /w"}`, 503, "told to", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCounter(t)
			w.tell(c.told)
			status, body := w.send(http.MethodPost, "/work", "x")
			if status != c.status || !strings.Contains(body, c.body) || w.done.Load() != c.done {
				t.Errorf("answered %d %q after %d pieces of work, want %d %q after %d", status, body, w.done.Load(), c.status, c.body, c.done)
			}
		})
	}
}

func TestMisbehaviourEnds(t *testing.T) {
	t.Parallel()
	w := newCounter(t)
	w.tell(`{"status":503,"times":2}`)
	for i, want := range []int{503, 503, 201} {
		if status, _ := w.send(http.MethodPost, "/work", ""); status != want {
			t.Errorf("request %d got %d, want %d", i, status, want)
		}
	}
	w.tell(`{"status":503}`)
	if _, said := w.send(http.MethodGet, "/control", ""); !strings.Contains(said, `"status":503`) {
		t.Errorf("what it was told is shown as %s", said)
	}
	w.send(http.MethodDelete, "/control", "")
	if status, _ := w.send(http.MethodPost, "/work", ""); status != 201 {
		t.Errorf("status %d after the control was reset", status)
	}
}

func TestADelayEndsWhenItIsToldToBehave(t *testing.T) {
	t.Parallel()
	w := newCounter(t)
	w.tell(`{"delay":"1m","times":1}`)
	answered := make(chan int, 1)
	go func() { status, _ := w.send(http.MethodPost, "/work", ""); answered <- status }()
	for { // until the request has come to its delay
		if _, said := w.send(http.MethodGet, "/control", ""); !strings.Contains(said, "delay") {
			break
		}
	}
	w.send(http.MethodDelete, "/control", "")
	select {
	case status := <-answered:
		if status != 201 {
			t.Errorf("status %d", status)
		}
	case <-time.After(time.Minute):
		t.Fatal("it is still waiting")
	}
}

func TestTheControlRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newCounter(t)
	for _, told := range []string{``, `[]`, `{"delay":"soon"}`, `{"delay":"1h"}`, `{"delay":"-1s"}`, `{"status":200}`, `{"times":-1}`, `{"colour":"red"}`, `{} {}`} {
		if status, said := w.send(http.MethodPut, "/control", told); status < 400 || !strings.Contains(said, "error") {
			t.Errorf("%s was answered %d: %s", told, status, said)
		}
	}
	if status, _ := w.send(http.MethodPost, "/control", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("POST got %d", status)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, w.URL+"/control", strings.NewReader(`{"cut":true}`))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := w.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site got %d", resp.StatusCode)
	}
}
