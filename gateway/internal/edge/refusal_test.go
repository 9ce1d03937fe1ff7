package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// inside is what no answer may hold, whatever went wrong: what stands in causes
// and panics, and what backends say of themselves.
const inside = "secret-10.0.0.7:9101"

// everyCode are the codes of problems as their package lists them.
func everyCode(t *testing.T) []problem.Code {
	t.Helper()
	source, err := os.ReadFile("../../../services/problem/code.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []problem.Code
	for _, found := range regexp.MustCompile(`(?m)Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, problem.Code(found[1]))
	}
	if len(all) < 20 {
		t.Fatalf("%d codes", len(all))
	}
	return all
}

// refusing is a gateway whose routes answer in every way there is, over TLS.
func refusing(t *testing.T) *httptest.Server {
	t.Helper()
	guards, err := pipeline.NewFields([]pipeline.Field{{Name: "Strict-Transport-Security", Value: "max-age=63072000"}, {Name: "Referrer-Policy", Value: "no-referrer"}}, []string{"Server"})
	if err != nil {
		t.Fatal(err)
	}
	cors, err := pipeline.NewCORS(pipeline.CORSConfig{Place: "p", Origins: []string{"https://app.test"}, Methods: []string{"GET", "POST"}, MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	away, err := pipeline.NewRedirect("/elsewhere", "/redirect", 308)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(tx *pipeline.Transaction) error {
		return problem.New(problem.Code(tx.Params[0].Value), "").Because(errors.New(inside)).With("Retry-After", "7")
	}
	forward := func(f func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error)) pipeline.Forwarder {
		return forwardFunc(f)
	}
	both := []string{"GET", "POST"}
	s := &pipeline.Snapshot{Version: "v1", Hosts: map[string]bool{"127.0.0.1": true}, Response: guards, Routes: []*pipeline.Route{
		{Name: "forwarded", Methods: both, Pattern: "/forwarded", CORS: cors},
		{Name: "stage", Methods: both, Pattern: "/stage/{code}", Stages: []pipeline.Stage{stageFunc{"refuse", refuse}}},
		{Name: "forward", Methods: both, Pattern: "/forward/{code}", Forward: forward(func(_ http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
			return pipeline.Result{}, refuse(tx)
		})},
		{Name: "plain-error", Methods: both, Pattern: "/error", Forward: forward(func(http.ResponseWriter, *pipeline.Transaction) (pipeline.Result, error) {
			return pipeline.Result{}, errors.New(inside)
		})},
		{Name: "panic-in-a-stage", Methods: both, Pattern: "/panic", Stages: []pipeline.Stage{stageFunc{"p", func(*pipeline.Transaction) error { panic(inside) }}}},
		{Name: "redirect", Methods: both, Pattern: "/redirect", Redirect: away},
	}}
	for _, r := range s.Routes {
		r.Response, r.Body, r.Meter = guards, 1<<10, meter{}
		if r.Forward == nil {
			r.Forward = forwardFunc(echo)
		}
	}
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	h, err := edge.New(edge.Config{Current: current, Events: io.Discard, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.Config.DisableGeneralOptionsHandler = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// TestEveryAnswerHasTheFieldsOfThePolicyAndShowsNothingInside walks every answer
// that the gateway gives, over both protocols.
func TestEveryAnswerHasTheFieldsOfThePolicyAndShowsNothingInside(t *testing.T) {
	t.Parallel()
	server := refusing(t)
	type request struct {
		method, path, host string
		header             http.Header
		status             int
	}
	asked := map[string]request{
		"what has no route":             {status: 404, path: "/nothing"},
		"a method without a route":      {status: 405, path: "/forwarded", method: "PUT"},
		"a host that is not served":     {status: 421, path: "/forwarded", host: "evil.test"},
		"a path of two readings":        {status: 400, path: "//forwarded"},
		"a redirect":                    {status: 308, path: "/redirect"},
		"a preflight":                   {status: 204, path: "/forwarded", method: "OPTIONS", header: http.Header{"Origin": {"https://app.test"}, "Access-Control-Request-Method": {"POST"}}},
		"a preflight that is refused":   {status: 403, path: "/forwarded", method: "OPTIONS", header: http.Header{"Origin": {"https://evil.test"}, "Access-Control-Request-Method": {"POST"}}},
		"too many fields":               {status: 431, path: "/forwarded", header: http.Header{"X-Many": make([]string, 101)}},
		"an error that is no problem":   {status: 502, path: "/error"},
		"a panic in a stage":            {status: 500, path: "/panic"},
		"a refusal for people":          {status: 403, path: "/stage/forbidden", header: http.Header{"Accept": {"text/html"}}},
		"a refusal of HEAD":             {status: 403, path: "/stage/forbidden", method: "HEAD"},
		"an address that cannot be had": {status: 400, path: "/forwarded", header: http.Header{"Content-Type": {"a/b", "c/d"}}},
	}
	for _, code := range everyCode(t) {
		asked["the refusal "+string(code)+" of a stage"] = request{status: code.Status(), path: "/stage/" + string(code)}
		asked["the refusal "+string(code)+" of the forward"] = request{status: code.Status(), path: "/forward/" + string(code)}
	}
	for _, http2 := range []bool{false, true} {
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetHTTP2(http2)
		t.Cleanup(transport.CloseIdleConnections)
		for name, c := range asked {
			r, err := http.NewRequest(c.method, server.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Header = c.header.Clone(); r.Header == nil {
				r.Header = http.Header{}
			}
			r.Host = c.host
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != c.status {
				t.Errorf("%s: %d %v, want %d", name, res.StatusCode, err, c.status)
			}
			guarded(t, name, res.Header)
			if text := string(body) + strings.Join(flat(res.Header), "\n"); strings.Contains(text, "10.0.0.7") || strings.Contains(text, ".go:") || strings.Contains(text, "goroutine") {
				t.Errorf("%s shows what is inside: %s", name, text)
			}
		}
	}
}

// guarded checks what the policy puts on every answer, and what no answer says.
func guarded(t *testing.T, name string, h http.Header) {
	t.Helper()
	if h.Get("Strict-Transport-Security") != "max-age=63072000" || h.Get("Referrer-Policy") != "no-referrer" || len(h.Get("X-Request-Id")) != 32 {
		t.Errorf("%s lacks what stands on every answer: %v", name, h)
	}
	for _, field := range []string{"Server", "Via", "X-Powered-By", "Portcullis-Subject"} {
		if h[field] != nil {
			t.Errorf("%s says %s: %q", name, field, h[field])
		}
	}
}

func flat(h http.Header) (all []string) {
	for name, values := range h {
		all = append(all, name+": "+strings.Join(values, ", "))
	}
	return all
}

// TestARefusalOfACallIsOneOfGRPC asks with a real client, which knows nothing
// but gRPC.
func TestARefusalOfACallIsOneOfGRPC(t *testing.T) {
	t.Parallel()
	server := refusing(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	conn, err := grpc.NewClient("passthrough:///"+server.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(path string) (*status.Status, http.Header) {
		var header metadata.MD
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		err := conn.Invoke(ctx, path, &emptypb.Empty{}, &emptypb.Empty{}, grpc.Header(&header))
		var trailer metadata.MD
		if len(header) == 0 { // Trailers-Only: it is a trailer to the client
			err = conn.Invoke(ctx, path, &emptypb.Empty{}, &emptypb.Empty{}, grpc.Trailer(&trailer))
		}
		all := http.Header{}
		for name, values := range metadata.Join(header, trailer) {
			all[http.CanonicalHeaderKey(name)] = values
		}
		return status.Convert(err), all
	}
	means := map[problem.Code]codes.Code{
		problem.MissingToken: codes.Unauthenticated, problem.InvalidToken: codes.Unauthenticated,
		problem.Forbidden: codes.PermissionDenied, problem.InsufficientScope: codes.PermissionDenied, problem.WAFDenied: codes.PermissionDenied,
		problem.NotFound: codes.Unimplemented, problem.MethodNotAllowed: codes.Unimplemented, problem.WrongHost: codes.Unimplemented,
		problem.BadRequest: codes.InvalidArgument, problem.AmbiguousPath: codes.InvalidArgument,
		problem.UnsupportedMedia: codes.InvalidArgument, problem.Unprocessable: codes.InvalidArgument,
		problem.TooManyRequests: codes.ResourceExhausted, problem.BodyTooLarge: codes.ResourceExhausted, problem.HeadersTooLarge: codes.ResourceExhausted,
		problem.RequestTimeout: codes.DeadlineExceeded, problem.GatewayTimeout: codes.DeadlineExceeded, problem.ClientClosed: codes.Canceled,
		problem.BadGateway: codes.Unavailable, problem.Unavailable: codes.Unavailable, problem.Overloaded: codes.Unavailable,
		problem.IssuerUnavailable: codes.Unavailable, problem.UpstreamBroken: codes.Unavailable, problem.Internal: codes.Internal, problem.AnswerWithheld: codes.Internal,
		// The gateway makes neither of these; services do, in plain HTTP.
		problem.PaymentDeclined: codes.Unknown, problem.Conflict: codes.Unknown,
	}
	for _, code := range everyCode(t) {
		meant, known := means[code]
		if !known {
			t.Errorf("nobody has said what %s is to a client of gRPC", code)
		}
		for _, by := range []string{"/stage/", "/forward/"} {
			st, header := call(by + string(code))
			if st.Code() != meant || st.Message() != code.Title() || header.Get("Grpc-Retry-Pushback-Ms") != "7000" {
				t.Errorf("%s%s: %v, pushback %q", by, code, st, header.Get("Grpc-Retry-Pushback-Ms"))
			}
			guarded(t, by+string(code), header)
		}
	}
	for path, meant := range map[string]codes.Code{"/panic": codes.Internal, "/error": codes.Unavailable, "/hotel.v1.Rooms/Nothing": codes.Unimplemented} {
		st, header := call(path)
		if st.Code() != meant || strings.Contains(st.Message(), "10.0.0.7") {
			t.Errorf("%s: %v", path, st)
		}
		guarded(t, path, header)
	}
}
