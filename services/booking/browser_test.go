package booking_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// browser is a browser without script.
type browser struct {
	w      *world
	client *http.Client
	// site is what it says about where requests come from.
	site string
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	// Both servers have the standard library's test certificate.
	transport := w.issuer.HTTP().Transport.(*http.Transport).Clone()
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{w: w, site: "same-origin", client: &http.Client{Transport: transport, Jar: jar, Timeout: 2 * time.Minute}}
}

// seen is a page as it came in the end.
type seen struct {
	*http.Response
	body string
}

func (b *browser) send(r *http.Request) seen {
	b.w.t.Helper()
	r.Header.Set("Sec-Fetch-Site", b.site)
	resp, err := b.client.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return seen{resp, string(body)}
}

func (b *browser) get(path string) seen {
	b.w.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.w.url + path
	}
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.send(r)
}

func (b *browser) post(path string, form url.Values) seen {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

// once makes the browser stay where it is.
func (b *browser) once() *browser {
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{w: b.w, client: &client, site: b.site}
}

// guest is a browser with somebody signed in.
func (w *world) guest() *browser {
	w.t.Helper()
	b := w.browser()
	if page := b.get("/signin?return=/bookings"); page.StatusCode != http.StatusOK || page.Request.URL.Path != "/bookings" {
		w.t.Fatalf("the sign-in ended at %s with %d: %s", page.Request.URL, page.StatusCode, page.body)
	}
	return b
}

// says ends the test unless a page has a status and holds every text.
func (p seen) says(t testing.TB, status int, texts ...string) seen {
	t.Helper()
	if p.StatusCode != status {
		t.Fatalf("%s answered %d, want %d: %s", p.Request.URL, p.StatusCode, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s does not say %q:\n%s", p.Request.URL, text, p.body)
		}
	}
	return p
}

// hidden is the value of a hidden field.
func (p seen) hidden(t testing.TB, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.body, `<input type="hidden" name="`+name+`" value="`)
	if !ok {
		t.Fatalf("there is no hidden field %q: %s", name, p.body)
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// filled is the form of a booking as a guest fills it in.
func (p seen) filled(t testing.TB, change map[string]string) url.Values {
	t.Helper()
	f := url.Values{"name": {"Ada Lovelace"}, "note": {"a quiet room"}, "pay": {"card"}, "card_number": {"4242 4242 4242 4242"}, "card_expiry": {"12/30"}, "card_code": {"123"}, "card_holder": {"A Lovelace"}}
	for _, name := range []string{"key", "expect", "from", "to", "guests"} {
		f.Set(name, p.hidden(t, name))
	}
	for name, value := range change {
		f.Set(name, value)
	}
	return f
}

func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
