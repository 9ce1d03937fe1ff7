package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"portcullis/services/problem"
)

// rooms is a real service of gRPC.
type rooms struct {
	testpb.UnimplementedTestServiceServer
	seen chan metadata.MD
	done chan error // why a call that waits has ended
}

func (s *rooms) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.seen <- md
	if e := in.GetResponseStatus(); e != nil {
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-late-bin", "\x00\xff"))
		st, err := grpcstatus.New(codes.Code(e.GetCode()), e.GetMessage()).WithDetails(wrapperspb.String("room 12 is taken"))
		if err != nil {
			return nil, err
		}
		return nil, st.Err()
	}
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-early", "1"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-late", "2"))
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (s *rooms) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	s.seen <- nil
	<-ctx.Done()
	s.done <- ctx.Err()
	return nil, ctx.Err()
}

func (s *rooms) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, out grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	for _, p := range in.GetResponseParameters() {
		if err := out.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *rooms) StreamingInputCall(in grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]) error {
	sum := 0
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return in.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(m.GetPayload().GetBody())
	}
}

// FullDuplexCall answers each message before the next has come.
func (s *rooms) FullDuplexCall(both grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	for {
		m, err := both.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			s.done <- err
			return err
		}
		if e := m.GetResponseStatus(); e != nil {
			return grpcstatus.Error(codes.Code(e.GetCode()), e.GetMessage())
		}
		if err := both.Send(&testpb.StreamingOutputCallResponse{Payload: m.GetPayload()}); err != nil {
			return err
		}
	}
}

// called is a client of gRPC, the gateway it speaks to, and the service behind.
type called struct {
	testpb.TestServiceClient
	*gate
	rooms  *rooms
	server *grpc.Server
}

// callsBy starts all three. In protocol h2 the service has TLS as well.
func callsBy(t *testing.T, p Protocol, tune ...func(*gate)) *called {
	t.Helper()
	authority := httptest.NewUnstartedServer(nil)
	authority.EnableHTTP2 = true
	authority.StartTLS()
	authority.Close()
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	var options []grpc.ServerOption
	scheme := "http://"
	if p == HTTP2 {
		scheme = "https://"
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: authority.TLS.Certificates, MinVersion: tls.VersionTLS12})))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &called{rooms: &rooms{seen: make(chan metadata.MD, 64), done: make(chan error, 64)}}
	server := grpc.NewServer(options...)
	c.server = server
	testpb.RegisterTestServiceServer(server, c.rooms)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	c.gate = front(t, Config{Endpoints: []string{scheme + l.Addr().String()}, Protocol: p, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		append([]func(*gate){timeoutOf(5 * time.Minute)}, tune...)...)
	edge := httptest.NewUnstartedServer(c.gate)
	edge.EnableHTTP2 = true
	edge.Config.ErrorLog = log.New(io.Discard, "", 0)
	edge.StartTLS()
	t.Cleanup(edge.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(edge.Certificate())
	conn, err := grpc.NewClient("passthrough:///"+edge.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.TestServiceClient = testpb.NewTestServiceClient(conn)
	return c
}

func payload(n int) *testpb.Payload { return &testpb.Payload{Body: make([]byte, n)} }

func TestCallsOfGRPC(t *testing.T) {
	t.Parallel()
	for _, p := range []Protocol{HTTP2, H2C} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			c := callsBy(t, p)
			ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second) // sooner than the route gives up
			defer cancel()
			t.Run("a call and its answer, with what is said before and after", func(t *testing.T) { c.unary(ctx, t) })
			t.Run("a failure keeps its code, message and details", func(t *testing.T) { c.failure(ctx, t) })
			t.Run("a stream of answers", func(t *testing.T) { c.answers(ctx, t) })
			t.Run("a stream of requests", func(t *testing.T) { c.requests(ctx, t) })
			t.Run("both at the same time, message by message", func(t *testing.T) { c.conversation(ctx, t) })
			t.Run("what a service does not have", func(t *testing.T) {
				_, err := c.UnimplementedCall(ctx, &testpb.Empty{})
				want(t, "code", grpcstatus.Code(err), codes.Unimplemented)
			})
		})
	}
}

func (c *called) unary(ctx context.Context, t *testing.T) {
	var header, trailer metadata.MD
	ctx = metadata.AppendToOutgoingContext(ctx, "x-tenant", "hotel", "x-blob-bin", "\x00\x01\xff")
	out, err := c.UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload(100 << 10)}, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "length of what came back", len(out.GetPayload().GetBody()), 100<<10)
	want(t, "said before", header.Get("x-early"), "[1]")
	want(t, "said after", trailer.Get("x-late"), "[2]")
	saw := <-c.rooms.seen
	want(t, "metadata", saw.Get("x-tenant"), "[hotel]")
	want(t, "binary metadata", fmt.Sprintf("%q", saw.Get("x-blob-bin")), `["\x00\x01\xff"]`)
	want(t, "whose it is", saw.Get("x-forwarded-for"), "[192.0.2.7]")
	if c.last(t).result.Broken != nil {
		t.Error("the exchange is told as broken")
	}
}

func (c *called) failure(ctx context.Context, t *testing.T) {
	var trailer metadata.MD
	_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "täken, 100%"}}, grpc.Trailer(&trailer))
	<-c.rooms.seen
	st := grpcstatus.Convert(err)
	want(t, "code", st.Code(), codes.FailedPrecondition)
	want(t, "message", st.Message(), "täken, 100%")
	want(t, "late", fmt.Sprintf("%q", trailer.Get("x-late-bin")), `["\x00\xff"]`)
	if d := st.Details(); len(d) != 1 || d[0].(*wrapperspb.StringValue).GetValue() != "room 12 is taken" {
		t.Errorf("details %v", d)
	}
}

func (c *called) answers(ctx context.Context, t *testing.T) {
	in := &testpb.StreamingOutputCallRequest{}
	sizes := []int32{0, 1, 31415, 9, 2653, 58979, 300 << 10}
	for _, n := range sizes {
		in.ResponseParameters = append(in.ResponseParameters, &testpb.ResponseParameters{Size: n})
	}
	stream, err := c.StreamingOutputCall(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range sizes {
		m, err := stream.Recv()
		if err != nil || len(m.GetPayload().GetBody()) != int(n) {
			t.Fatalf("%d bytes, %v; want %d", len(m.GetPayload().GetBody()), err, n)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func (c *called) requests(ctx context.Context, t *testing.T) {
	stream, err := c.StreamingInputCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range []int{27182, 8, 1828, 45904, 0, 300 << 10} {
		sum += n
		if err := stream.Send(&testpb.StreamingInputCallRequest{Payload: payload(n)}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := stream.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "bytes", out.GetAggregatedPayloadSize(), sum)
}

func (c *called) conversation(ctx context.Context, t *testing.T) {
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: payload(n)}); err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Recv(); err != nil || len(m.GetPayload().GetBody()) != n {
			t.Fatalf("message %d: %d bytes, %v", n, len(m.GetPayload().GetBody()), err)
		}
	}
	// The service ends it while the client could still speak.
	if err := stream.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: &testpb.EchoStatus{Code: int32(codes.Aborted), Message: "enough"}}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	want(t, "the end", grpcstatus.Convert(err).Message(), "enough")
	want(t, "its code", grpcstatus.Code(err), codes.Aborted)
}

func TestACallThatItsClientGivesUpEndsAtTheService(t *testing.T) {
	t.Parallel()
	c := callsBy(t, H2C)
	t.Run("by cancelling", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-c.rooms.seen; cancel() }()
		_, err := c.EmptyCall(ctx, &testpb.Empty{})
		want(t, "code", grpcstatus.Code(err), codes.Canceled)
		want(t, "at the service", <-c.rooms.done, context.Canceled)
	})
	t.Run("by its deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := c.EmptyCall(ctx, &testpb.Empty{})
		want(t, "code", grpcstatus.Code(err), codes.DeadlineExceeded)
		if err := <-c.rooms.done; err == nil {
			t.Error("the service goes on")
		}
	})
	t.Run("in the middle of a conversation", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: payload(1)}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		want(t, "at the service", grpcstatus.Code(<-c.rooms.done), codes.Canceled)
	})
	want(t, "failures counted against the endpoint", c.failures(), 0)
}

// TestAServiceThatStopsIsNotTheClientsFault asks one that has just gone, over the
// connection that is left and over none.
func TestAServiceThatStopsIsNotTheClientsFault(t *testing.T) {
	t.Parallel()
	for _, p := range []Protocol{HTTP2, H2C} {
		c := callsBy(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		if _, err := c.UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload(1 << 20)}); err != nil {
			t.Fatal(err)
		}
		c.last(t)
		c.server.Stop()
		for range 5 {
			if _, err := c.UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload(1 << 20)}); err == nil {
				t.Error("nobody has answered")
			}
			o := c.last(t)
			failed, ok := errors.AsType[*problem.Problem](o.err)
			if !ok || failed.Status() < 500 || o.client != nil {
				t.Errorf("%s: %v, blamed on the client: %v", p, o.err, o.client)
			}
		}
	}
}
