package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAPatchAnswersWithItsOwnStatusAndBeforeTheBodyIsSent: the client announces a
// body and waits for an answer, or never sends it. What a rule of phase 1 refuses is
// refused at once all the same, and its connection is not held for it.
func TestAPatchAnswersWithItsOwnStatusAndBeforeTheBodyIsSent(t *testing.T) {
	t.Parallel()
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: rooms, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n",
		"waf.yaml": "version: 1\nwaf:\n  - name: api\n    patches:\n      - {file: export.conf, reason: the suite, owner: suite, expires: 2099-01-01, " +
			"must_pass: [\"GET /exports\\nX-Export-Name: july\"], must_block: [\"GET /exports\\nX-Export-Name: ..\", \"GET /exports\\nX-Export-Name: old\", \"GET /exports\\nX-Export-Name: worm\"]}\n",
		"routes.yaml": routes("exports: \"POST /exports\", upstream: rooms, authenticate: {none: the suite}, limits: {none: the suite}, waf: api, allow: [{anyone: true, reason: the suite}]"),
	})
	s.write("export.conf", strings.Join([]string{
		`SecRule REQUEST_HEADERS:X-Export-Name "@rx ^\.+$" "id:1000001,phase:1,deny,status:404,msg:'export without a name'"`,
		`SecRule REQUEST_HEADERS:X-Export-Name "@streq old" "id:1000002,phase:1,redirect:https://hotel.test/sorry,status:307"`,
		`SecRule REQUEST_HEADERS:X-Export-Name "@streq worm" "id:1000003,phase:1,drop"`,
		"",
	}, "\n"))
	s.startGateway()
	head := "POST /exports HTTP/1.1\r\nHost: " + host(s.gatewayURL) + "\r\nContent-Type: application/json\r\nContent-Length: 60000\r\nX-Export-Name: "
	for _, more := range []string{"", "Expect: 100-continue\r\n"} {
		if status, body := s.raw(head + "..\r\n" + more + "\r\n"); status != 404 || (answer{body: body}).code() != "waf_denied" || strings.Contains(body, "1000001") {
			t.Errorf("%q: %d %s", more, status, body)
		}
	}
	if status, body := s.raw(head + "july\r\nExpect: 100-continue\r\n\r\n"); status != 100 {
		t.Errorf("what it does not deny: %d %s", status, body)
	}

	conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	_, _ = io.WriteString(conn, head+"worm\r\n\r\n")
	if all, err := io.ReadAll(conn); len(all) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("what is dropped is answered with %q, %v", all, err)
	}
	for proto, client := range s.both() {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for name, want := range map[string]int{"old": 307, "worm": 0} {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", s.gatewayURL+"/exports", strings.NewReader("{}"))
			r.Header.Set("X-Export-Name", name)
			r.Header.Set("Content-Type", "application/json")
			res, err := client.Do(r)
			switch {
			case want == 0 && err != nil:
			case want == 0:
				t.Errorf("%s: what is dropped is answered with %s", proto, res.Status)
			case err != nil || res.StatusCode != want || res.Header.Get("Location") != "https://hotel.test/sorry":
				t.Errorf("%s: %v %v", proto, res, err)
			}
			if err == nil {
				_ = res.Body.Close()
			}
		}
	}
	until(t, "the drops stand in the events", 30*time.Second, func() bool {
		return strings.Count(s.eventLog(), `"http.response.status_code":444`) == 3
	})
	if said := s.gateway.said(); strings.Contains(said, "panic") {
		t.Error(said)
	}
}
