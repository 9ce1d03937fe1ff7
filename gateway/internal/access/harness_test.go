package access_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/pipeline"
)

func text(v string) access.Text { return access.Text{V: v, Place: "rules.yaml:1"} }

func texts(vs ...string) []access.Text {
	out := make([]access.Text, len(vs))
	for i, v := range vs {
		out[i] = text(v)
	}
	return out
}

func nets(prefixes ...string) []access.Network {
	out := make([]access.Network, len(prefixes))
	for i, p := range prefixes {
		out[i] = access.Network{Prefix: netip.MustParsePrefix(p), Place: "rules.yaml:2"}
	}
	return out
}

// cel is a condition over the declared claims of the tests.
func cel(t testing.TB, expression string) *access.When {
	t.Helper()
	compiler, err := condition.New()
	if err != nil {
		t.Fatal(err)
	}
	c, err := compiler.Compile(expression, condition.Scope{Params: []string{"guest"}, Claims: map[string]token.ClaimType{"tenant": token.ClaimText, "level": token.ClaimNumber}})
	if err != nil {
		t.Fatal(err)
	}
	w := &access.When{Condition: c}
	for range c.Offsets() {
		w.Places = append(w.Places, "rules.yaml:3:10")
	}
	return w
}

// span is one on days written as mon,tue.
func span(days string, begin, end time.Duration, zone *time.Location) access.Span {
	s := access.Span{Text: days, Begin: begin, End: end, Zone: zone, Place: "rules.yaml:4"}
	for i, day := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		for from := 0; from+3 <= len(days); from += 4 {
			s.Days[i] = s.Days[i] || days[from:from+3] == day
		}
	}
	return s
}

// wednesday is noon and a half, UTC.
func wednesday() time.Time { return time.Date(2026, 11, 25, 12, 30, 0, 0, time.UTC) }

// asked is a request by guest g-7 at a kiosk of acme's.
func asked() *pipeline.Transaction {
	r := httptest.NewRequest(http.MethodGet, "/v1/guests/g-7?page=2", nil)
	r.Header.Set("X-Secret", "hush")
	tx := &pipeline.Transaction{
		Request: r, Start: wednesday(), Source: netip.MustParseAddr("192.0.2.7"), Path: "/v1/guests/g-7", Host: "api.hotel.test",
		Params: pipeline.Params{{Name: "guest", Value: "g-7"}}, Route: &pipeline.Route{Name: "guest", Methods: []string{http.MethodGet}, Queries: []string{"page"}},
		Principal: &token.Principal{
			Issuer: "hotel", Subject: "g-7", Client: "kiosk", Scopes: []string{"notes:read", "search:read"},
			Claims: map[string]any{"tenant": "acme", "groups": []string{"staff", "night"}, "level": int64(5), "staff": true},
		},
	}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		panic(err) // it is our own
	}
	return tx
}

func authorize(t testing.TB, allow, deny []access.Rule) *access.Authorize {
	t.Helper()
	stage, err := access.NewAuthorize(allow, deny)
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

func mapped(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }
