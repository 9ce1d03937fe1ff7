package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
)

// str is a JSON value as text; absent is empty.
func str(v any) string {
	s, _ := v.(string)
	return s
}

func decode(r io.Reader, into any) error { return json.NewDecoder(r).Decode(into) }

// get fetches a URL of ours for its status.
func get(url string) (int, error) {
	res, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func encode(v any) ([]byte, error) { return json.Marshal(v) }

func contents(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
