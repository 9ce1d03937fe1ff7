package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// calls is a service of gRPC behind the gateway.
type calls struct {
	testpb.UnimplementedTestServiceServer
}

func (calls) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	return &testpb.Empty{}, nil
}

func (calls) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if len(md["authorization"]) > 0 {
		return nil, status.Error(codes.Internal, "the caller's token arrives")
	}
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (calls) FullDuplexCall(both grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	for {
		m, err := both.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.FailedPrecondition, "we are closed")
		}
		if err != nil {
			return err
		}
		if err := both.Send(&testpb.StreamingOutputCallResponse{Payload: m.GetPayload()}); err != nil {
			return err
		}
	}
}

// TestCallsOfGRPCThroughTheGateway: tokens and rules hold for them as for all
// others, and refusals are such as a client of gRPC understands.
func TestCallsOfGRPCThroughTheGateway(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s := lone(t, map[string]string{"gateway.yaml": `version: 1
hosts: [localhost]
issuers:
  - {name: outside, url: "${env:ISSUER}", audience: gateway, ca: "${env:ISSUER_CA}"}
upstreams:
  - {name: rooms, endpoints: ["https://` + l.Addr().String() + `"], protocol: h2, credential: {none: the suite}}
limits:
  - {name: few, by: principal, rate: 1/1h, burst: 3}
defaults: {authenticate: [outside]}
upstream: rooms
routes:
  - name: rooms
    match: POST /grpc.testing.TestService/*
    body: 64MiB
    timeout: 2m
    waf: {none: messages of gRPC are binary}
    limits: {none: the suite}
    allow: [{scopes: [rooms]}]
  - name: few
    match: POST /grpc.testing.TestService/EmptyCall
    waf: {none: messages of gRPC are binary}
    limits: [few]
    allow: [{scopes: [rooms]}]
`})
	files := s.leaf("rooms")
	identity, err := credentials.NewServerTLSFromFile(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(identity), grpc.MaxConcurrentStreams(10)) // fewer than there will be calls
	testpb.RegisterTestServiceServer(server, calls{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	s.startGateway()
	conn, err := grpc.NewClient("passthrough:///"+host(s.gatewayURL), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := testpb.NewTestServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	with := func(scope string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.as("g-7", scope))
	}
	refused := func(name string, err error, want codes.Code) {
		t.Helper()
		if status.Code(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	in := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<20)}}
	_, err = client.UnaryCall(ctx, in)
	refused("without a token", err, codes.Unauthenticated)
	_, err = client.UnaryCall(with("other"), in)
	refused("without the scope", err, codes.PermissionDenied)
	if out, err := client.UnaryCall(with("rooms"), in); err != nil || len(out.GetPayload().GetBody()) != 1<<20 {
		t.Errorf("with both: %v", err)
	}
	_, err = client.UnimplementedCall(with("rooms"), &testpb.Empty{})
	refused("what the service does not have", err, codes.Unimplemented)
	refused("what has no route", conn.Invoke(with("rooms"), "/other.Service/Call", &testpb.Empty{}, &testpb.Empty{}), codes.Unimplemented)
	for range 3 {
		if _, err := client.EmptyCall(with("rooms"), &testpb.Empty{}); err != nil {
			t.Errorf("within the limit: %v", err)
		}
	}
	_, err = client.EmptyCall(with("rooms"), &testpb.Empty{})
	refused("over the limit", err, codes.ResourceExhausted)

	// Forty conversations at once, over connections that take ten each. A new
	// connection refuses what came before it has said so, and nobody else may know
	// whether to ask again: the client does.
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			err := converse(with("rooms"), client)
			for status.Code(err) == codes.Unavailable && ctx.Err() == nil {
				err = converse(with("rooms"), client)
			}
			if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "we are closed" {
				t.Errorf("a conversation ends with %v", err)
			}
		})
	}
	all.Wait()

	server.Stop()
	_, err = client.UnaryCall(with("rooms"), in)
	refused("a service that is gone", err, codes.Unavailable)
}

// converse sends ten messages, each when the one before has come back, and gives
// how the service ends it.
func converse(ctx context.Context, client testpb.TestServiceClient) error {
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for n := range 10 {
		// Why it cannot be sent, Recv tells.
		_ = stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, n*1000)}})
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if len(m.GetPayload().GetBody()) != n*1000 {
			return errors.New("another message comes back")
		}
	}
	_ = stream.CloseSend()
	_, err = stream.Recv()
	return err
}
