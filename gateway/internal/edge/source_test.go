package edge

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestSource(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	cases := map[string]struct {
		peer    string
		xff     []string
		trusted []netip.Prefix
		want    string
	}{
		"the peer is the client":                            {"198.51.100.7:1", nil, nil, "198.51.100.7"},
		"an empty list trusts nobody":                       {"192.0.2.1:1", []string{"203.0.113.9"}, nil, "192.0.2.1"},
		"a stranger's word does not count":                  {"198.51.100.7:1", []string{"203.0.113.9"}, proxies, "198.51.100.7"},
		"a trusted proxy names the client":                  {"192.0.2.1:1", []string{"203.0.113.9"}, proxies, "203.0.113.9"},
		"what the client prepended does not count":          {"192.0.2.1:1", []string{"10.0.0.1, 203.0.113.9"}, proxies, "203.0.113.9"},
		"the walk passes over several proxies and fields":   {"192.0.2.1:1", []string{"10.0.0.1, 203.0.113.9", "192.0.2.7"}, proxies, "203.0.113.9"},
		"a mapped address is the plain one":                 {"[::ffff:198.51.100.7]:1", nil, nil, "198.51.100.7"},
		"a zone is dropped":                                 {"[fe80::1%eth0]:1", nil, nil, "fe80::1"},
		"garbage from a trusted proxy is refused":           {"192.0.2.1:1", []string{"unknown"}, proxies, ""},
		"an empty field from a trusted proxy is the peer's": {"192.0.2.1:1", nil, proxies, "192.0.2.1"},
		"a peer without an address is refused":              {"@", nil, nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.xff}}
			got, err := source(r, c.trusted)
			if c.want == "" {
				if err == nil {
					t.Errorf("accepted as %s", got)
				}
				return
			}
			if err != nil || got.String() != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{"localhost", "LOCALHOST:8443", "[::1]:80", "a.b.", "a@b", "[::1%25eth0]", "127.0.0.1:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, ok := canonicalHost(host)
		if !ok {
			return
		}
		for i := 0; i < len(got); i++ {
			if c := got[i]; 'A' <= c && c <= 'Z' || c == '@' || c == '/' || c <= ' ' || c >= 0x7f {
				t.Fatalf("%q gave %q", host, got)
			}
		}
	})
}
