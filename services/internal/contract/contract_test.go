package contract_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"portcullis/services/internal/contract"
)

const document = `
openapi: 3.0.3
info: {title: rooms, version: 1.0.0}
servers: [{url: /}]
paths:
  /rooms/{room}:
    get:
      parameters:
        - {name: room, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: a room
          content:
            application/json:
              schema: {type: object, required: [beds], properties: {beds: {type: integer}}}
  /keys:
    post:
      responses:
        '204': {description: made}
`

func parse(t *testing.T, document string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDifferencesAreFoundBothWays(t *testing.T) {
	none := func(http.ResponseWriter, *http.Request) {}
	r := chi.NewRouter()
	r.Get("/rooms/{room}", none)
	r.Delete("/rooms/{room}", none)
	got, err := parse(t, document).Differences(r)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DELETE /rooms/{room} is served and not in the contract",
		"POST /keys is in the contract and has no route",
	}
	if !slices.Equal(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
}

// complaints is a test that notes its errors instead of failing.
type complaints struct {
	testing.TB
	texts []string
}

func (c *complaints) Errorf(format string, args ...any) {
	c.texts = append(c.texts, fmt.Sprintf(format, args...))
}

func TestTheTransportJudgesAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"an answer as announced passes":             {"/rooms/1", `{"beds":2}`, 200, ""},
		"an answer that lacks a field is caught":    {"/rooms/1", `{}`, 200, "beds"},
		"a field of another type is caught":         {"/rooms/1", `{"beds":"two"}`, 200, "beds"},
		"a status that is not announced is caught":  {"/rooms/1", `{"beds":2}`, 404, "status"},
		"a success on a bad request is caught":      {"/rooms/one", `{"beds":2}`, 200, "does not allow"},
		"what the contract does not know is passed": {"/floors/1", `x`, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			noted := &complaints{TB: t}
			client := &http.Client{Transport: parse(t, document).Transport(noted, http.DefaultTransport)}
			resp, err := client.Get(server.URL + c.path)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			said := strings.Join(noted.texts, "\n")
			if (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
				t.Errorf("complaints %q, want one that says %q", said, c.want)
			}
		})
	}
}

func TestABrokenDocumentIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"not YAML":                  "{",
		"an answer without a shape": strings.Replace(document, "responses:", "respones:", 1),
	} {
		if _, err := contract.Parse([]byte(text)); err == nil {
			t.Errorf("%s was taken for a contract", name)
		}
	}
}
