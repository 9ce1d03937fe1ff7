package ops

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

type named string

func (n named) Name() string                     { return string(n) }
func (named) Decide(*pipeline.Transaction) error { return nil }

func page(t *testing.T, current *pipeline.Current) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(New(Config{
		Current:   current,
		Upstreams: func() any { return map[string]any{"search": []map[string]string{{"breaker": "open"}}} },
		Issuers:   func() any { return map[string]any{"hotel": map[string]int{"entries": 3}} },
		Reload: func() any {
			return map[string]any{"version": "abc", "last_error": "routes/search.yaml:4:3: unknown key"}
		},
		Started: time.Date(2027, 1, 10, 12, 0, 0, 0, time.FixedZone("EET", 2*3600)),
	}))
	t.Cleanup(server.Close)
	return server
}

func TestStatusTellsWhatIsInForce(t *testing.T) {
	var current pipeline.Current
	current.Store(&pipeline.Snapshot{
		Hosts:    map[string]bool{"localhost": true},
		WAFRules: map[string]int{"json-api": 430},
		Routes: []*pipeline.Route{{
			Name: "search", Methods: []string{"GET", "POST"}, Hosts: []string{"api.hotel.test"}, Pattern: "/v1/hotels", Place: "routes/search.yaml:4", Upstream: "search",
			Stages:  []pipeline.Stage{named("authenticate"), named("inspect")},
			OptOuts: []pipeline.OptOut{{Stage: "limits", Reason: "cached"}},
		}},
	})
	resp, err := http.Get(page(t, &current).URL + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header is %v", resp.Header)
	}
	if got["started"] != "2027-01-10T10:00:00Z" {
		t.Errorf("started is %v, want UTC", got["started"])
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"version":"abc"`, `routes/search.yaml:4:3: unknown key`, `"breaker":"open"`, `"hotel":{"entries":3}`, `"json-api":430`,
		`"match":"GET,POST /v1/hotels"`, `"hosts":["api.hotel.test"]`, `"stages":["authenticate","inspect"]`, `"reason":"cached"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestStatusAnswersBeforeAPolicyIsInForce(t *testing.T) {
	resp, err := http.Get(page(t, new(pipeline.Current)).URL + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// The port changes nothing: whatever is not a GET is refused.
func TestStatusOnlyReads(t *testing.T) {
	server := page(t, new(pipeline.Current))
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		r, err := http.NewRequest(method, server.URL+"/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s is answered with %d", method, resp.StatusCode)
		}
	}
}
