package e2e

import "testing"

// TestWhatAPatchOfTheHeadDeniesNeedNotBeSent: the client announces a body and waits
// for an answer, or never sends it. Either way it is refused at once, and its
// connection is not held for it.
func TestWhatAPatchOfTheHeadDeniesNeedNotBeSent(t *testing.T) {
	t.Parallel()
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: rooms, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n",
		"waf.yaml": "version: 1\nwaf:\n  - name: api\n    patches:\n      - {file: export.conf, reason: the suite, owner: suite, expires: 2099-01-01, " +
			"must_pass: [\"GET /exports\\nX-Export-Name: july\"], must_block: [\"GET /exports\\nX-Export-Name: ..\"]}\n",
		"routes.yaml": routes("exports: \"POST /exports\", upstream: rooms, authenticate: {none: the suite}, limits: {none: the suite}, waf: api, allow: [{anyone: true, reason: the suite}]"),
	})
	s.write("export.conf", `SecRule REQUEST_HEADERS:X-Export-Name "@rx ^\.+$" "id:1000001,phase:1,deny,msg:'export without a name'"`+"\n")
	s.startGateway()
	head := "POST /exports HTTP/1.1\r\nHost: " + host(s.gatewayURL) + "\r\nContent-Type: application/json\r\nContent-Length: 60000\r\nX-Export-Name: "
	for _, more := range []string{"", "Expect: 100-continue\r\n"} {
		if status, body := s.raw(head + "..\r\n" + more + "\r\n"); status != 403 || (answer{body: body}).code() != "waf_denied" {
			t.Errorf("%q: %d %s", more, status, body)
		}
	}
	if status, body := s.raw(head + "july\r\nExpect: 100-continue\r\n\r\n"); status != 100 {
		t.Errorf("what it does not deny: %d %s", status, body)
	}
}
