package edge

import (
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// browsers is the header of a usual request.
func browsers() http.Header {
	return http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"fi,en;q=0.7"}, "Authorization": {"Bearer x"}, "Connection": {"keep-alive"},
		"Content-Type": {"application/json"}, "Cookie": {"a=b"}, "Origin": {"https://app.hotel.test"}, "User-Agent": {"Mozilla/5.0"}, "X-Requested-With": {"fetch"},
	}
}

func TestOwnedFieldsOfAUsualRequestCostNoAllocation(t *testing.T) {
	h := browsers()
	if n := testing.AllocsPerRun(100, func() {
		removeOwned(h)
		removeNamed(h)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if len(h) != len(browsers()) {
		t.Errorf("a usual field was removed: %v", h)
	}
}

// net/http answers these itself, without asking us; another server in front of
// the handler may not.
func TestConnectionSpecificFieldsAreRefusedInHTTP2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		major       int
		refused     bool
	}{
		{"Connection", "keep-alive", 2, true}, {"Keep-Alive", "timeout=5", 2, true}, {"Proxy-Connection", "keep-alive", 2, true},
		{"Transfer-Encoding", "chunked", 2, true}, {"Upgrade", "h2c", 2, true}, {"Http2-Settings", "AAMAAABkAAQAAP__", 2, true},
		{"Te", "gzip", 2, true}, {"Te", "trailers, gzip", 2, true}, {"Te", "", 2, true}, {"Te", "trailers", 2, false}, {"Connection", "keep-alive", 1, false}, {"Te", "gzip", 1, false},
	} {
		err := connectionSpecific(&http.Request{ProtoMajor: c.major, Header: http.Header{c.name: {c.value}}})
		if (err != nil) != c.refused {
			t.Errorf("%s: %s in HTTP/%d: %v, want refused %v", c.name, c.value, c.major, err, c.refused)
		}
	}
	if connectionSpecific(&http.Request{ProtoMajor: 2, Header: http.Header{"Te": {"trailers", "trailers"}}}) == nil {
		t.Error("TE twice passes")
	}
}

func BenchmarkOwned(b *testing.B) {
	h := browsers()
	b.ReportAllocs()
	for b.Loop() {
		removeOwned(h)
		removeNamed(h)
	}
}

func BenchmarkCanonicalPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := canonicalPath("/v1/guests/g-7/reservations"); err != nil {
			b.Fatal(err)
		}
	}
}

// The whole table, in every spelling that some server reads as the same name.
func TestNothingThatOnlyWeMaySayStaysFromOutside(t *testing.T) {
	t.Parallel()
	walked := 0
	for _, f := range pipeline.OwnedFields() {
		if f.Owner&pipeline.Claimed == 0 {
			continue
		}
		walked++
		name := f.Name
		if f.Prefix {
			name += "x"
		}
		for _, spelled := range []string{
			name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", "_", 1),
			strings.ToLower(strings.ReplaceAll(name, "-", "_")), name + "_", "_" + name, name + "~",
		} {
			h := http.Header{textproto.CanonicalMIMEHeaderKey(spelled): {"a", "b"}, "Accept": {"*/*"}}
			if fields := removeOwned(h); len(h) != 1 || fields != 3 {
				t.Errorf("%q stays: %v, %d fields counted", spelled, h, fields)
			}
		}
	}
	if walked < 40 {
		t.Errorf("the table has %d lines", walked)
	}
}
