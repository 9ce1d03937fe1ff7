package trial

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"portcullis/policies/policy"
)

// Where a request comes from and what it says of itself unless its description
// tells otherwise.
const (
	someSource = "192.0.2.1" // RFC 5737: nobody's
	somePort   = 40000
	someAgent  = "gateway-test"
)

// request is the request of a test as the server would have read it: it is
// written out and parsed by net/http.
func (t *Trial) request(ctx context.Context, test *policy.Test, bearer string) (*http.Request, error) {
	method, target, ok := strings.Cut(test.Send.V, " ")
	if !ok || !httpguts.ValidHeaderFieldName(method) || target == "" || strings.ContainsAny(target, " \r\n\t") {
		return nil, fmt.Errorf("send: %q is not a method and a target, such as GET /v1/hotels", test.Send.V)
	}
	body, media, err := payload(test)
	if err != nil {
		return nil, err
	}
	header, err := fields(test, bearer, media)
	if err != nil {
		return nil, err
	}
	host := t.host(test)
	if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if strings.ContainsAny(host, " \r\n\t") {
		return nil, fmt.Errorf("host: %q is not a host", host)
	}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	if err := header.Write(&wire); err != nil {
		return nil, err
	}
	if len(body) > 0 || media != "" {
		wire.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	wire.WriteString("\r\n")
	wire.Write(body)
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, fmt.Errorf("the server would not even read this request: %w", err)
	}
	source, err := netip.ParseAddr(test.From.Or(someSource))
	if err != nil {
		return nil, fmt.Errorf("from: %q is not an address", test.From.V)
	}
	r.RemoteAddr = netip.AddrPortFrom(source, somePort).String()
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	return r.WithContext(ctx), nil
}

// host is the one a test asks, or the first that is served.
func (t *Trial) host(test *policy.Test) string {
	if test.Host.V == "" && t.doc.Gateway != nil && len(t.doc.Gateway.Hosts) > 0 {
		return t.doc.Gateway.Hosts[0].V
	}
	return test.Host.V
}

// payload is what is sent and how it is to be read.
func payload(test *policy.Test) (body []byte, media string, err error) {
	switch {
	case test.JSON != nil:
		if body, err = json.Marshal(test.JSON); err != nil {
			return nil, "", fmt.Errorf("json: %w", err)
		}
		return body, "application/json", nil
	case test.Form.Set:
		return []byte(test.Form.V), "application/x-www-form-urlencoded", nil
	default:
		return []byte(test.Body.V), "", nil
	}
}

var errFraming = errors.New("the fields Host, Content-Length and Transfer-Encoding follow from host and body")

// fields are the test's own, and what every client sends.
func fields(test *policy.Test, bearer, media string) (http.Header, error) {
	h := http.Header{"User-Agent": {someAgent}, "Accept": {"*/*"}}
	if media != "" {
		h.Set("Content-Type", media)
	}
	own := map[string]bool{}
	for _, f := range test.Header {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		switch {
		case name == "Host" || name == "Content-Length" || name == "Transfer-Encoding":
			return nil, errFraming
		case !httpguts.ValidHeaderFieldName(f.Name) || !httpguts.ValidHeaderFieldValue(f.Value.V):
			return nil, fmt.Errorf("header: %q is not a field that can be sent", f.Name)
		case !own[name]:
			delete(h, name)
		}
		own[name] = true
		if f.Value.V == "" {
			continue // a field that usual clients send, and this one does not
		}
		h[name] = append(h[name], f.Value.V)
	}
	if bearer != "" && !own["Authorization"] {
		h.Set("Authorization", "Bearer "+bearer)
	}
	return h, nil
}
