package source_test

import (
	"net/http"
	"testing"

	"portcullis/authserver/internal/source"
)

func TestASourceIsAnAddressOrAnIPv6Network(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:4711":             "192.0.2.1",
		"[::ffff:192.0.2.1]:4711":    "192.0.2.1", // one client, two spellings
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::",
		"[fe80::1%eth0]:443":         "fe80::",
		"[::1]:443":                  "::1",
		"@":                          "invalid IP",
	} {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
		if got := source.Of(r).String(); got != want {
			t.Errorf("%q is %q, want %q", remote, got, want)
		}
	}
}
