package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portcullis/gateway/internal/pipeline"
)

// http2Client writes its frames itself: what it sends, a client of good manners
// could not send.
type http2Client struct {
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// dialHTTP2 opens a connection that lasts as long as the test.
func dialHTTP2(t *testing.T, server *httptest.Server, settings ...http2.Setting) *http2Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{
		RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c := &http2Client{Framer: http2.NewFramer(conn, conn)}
	c.encoder = hpack.NewEncoder(&c.block)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := c.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a request made of exactly these fields.
func (c *http2Client) ask(t *testing.T, stream uint32, fields ...[2]string) {
	t.Helper()
	c.block.Reset()
	for _, f := range fields {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
}

// askHTTP2 sends one request and gives the status; "reset" when the server ended
// the stream instead.
func askHTTP2(t *testing.T, server *httptest.Server, fields ...[2]string) string {
	t.Helper()
	c := dialHTTP2(t, server)
	c.ask(t, 1, fields...)
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/v1/hotels"})
	server := httptest.NewUnstartedServer(plain.Config.Handler)
	server.Config.DisableGeneralOptionsHandler = true
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		method, scheme, authority, path string
		more                            [][2]string
		want                            string
	}{
		"an ordinary request passes":                  {"GET", "https", "localhost", "/v1/hotels", nil, "200"},
		"a Host equal to the authority passes":        {"GET", "https", "localhost", "/v1/hotels", [][2]string{{"host", "localhost"}}, "200"},
		"a Host alone is the authority":               {"GET", "https", "", "/v1/hotels", [][2]string{{"host", "localhost"}}, "200"},
		"another Host beside the authority is 400":    {"GET", "https", "localhost", "/v1/hotels", [][2]string{{"host", "evil.example"}}, "400"},
		"two Hosts are 400":                           {"GET", "https", "localhost", "/v1/hotels", [][2]string{{"host", "localhost"}, {"host", "evil.example"}}, "400"},
		"another authority is 421":                    {"GET", "https", "evil.example", "/v1/hotels", nil, "421"},
		"an authority with user info ends the stream": {"GET", "https", "u@localhost", "/v1/hotels", nil, "reset"},
		"a target that is no path is 400":             {"OPTIONS", "https", "localhost", "*", nil, "400"},
		"a whole address as path is 400":              {"GET", "https", "localhost", "https://localhost/v1/hotels", nil, "400"},
		"an upgrade is 400":                           {"GET", "https", "localhost", "/v1/hotels", [][2]string{{"upgrade", "websocket"}}, "400"},
		"more fields than allowed are 431":            {"GET", "https", "localhost", "/v1/hotels", many(101), "431"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := [][2]string{{":method", c.method}, {":scheme", c.scheme}, {":path", c.path}}
			if c.authority != "" {
				fields = append(fields, [2]string{":authority", c.authority})
			}
			if got := askHTTP2(t, server, append(fields, c.more...)...); got != c.want {
				t.Errorf("answered with %s, want %s", got, c.want)
			}
		})
	}
	t.Run("a tunnel is 400", func(t *testing.T) {
		t.Parallel()
		if got := askHTTP2(t, server, [2]string{":method", "CONNECT"}, [2]string{":authority", "localhost:22"}); got != "400" {
			t.Errorf("answered with %s", got)
		}
	})
}

func many(n int) (fields [][2]string) {
	for range n {
		fields = append(fields, [2]string{"a", "b"})
	}
	return fields
}
