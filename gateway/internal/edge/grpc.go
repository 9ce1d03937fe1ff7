package edge

import (
	"maps"
	"net/http"
	"strconv"
	"strings"

	"portcullis/services/problem"
)

// speaksGRPC reports whether a request is one of gRPC, whose clients read the
// status of an answer from trailers. gRPC-Web is plain HTTP and has none.
func speaksGRPC(r *http.Request) bool {
	kind := r.Header["Content-Type"]
	if r.ProtoMajor != 2 || len(kind) != 1 {
		return false
	}
	rest, ok := strings.CutPrefix(kind[0], "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// writeGRPC answers with p as a server of gRPC would: 200, and the status in
// what is header and trailer at once (gRPC over HTTP/2, "Trailers-Only"). A
// client that finds another status of HTTP guesses at one of gRPC's, and takes a
// 403 of ours for one of any proxy on the way.
func writeGRPC(w http.ResponseWriter, p *problem.Problem) {
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Range", "Content-Length", "Etag", "Last-Modified", "Trailer"} {
		delete(h, name) // of an answer that was prepared and failed
	}
	maps.Copy(h, p.Header.Clone())
	h["Content-Type"] = []string{"application/grpc"}
	h["Grpc-Status"] = []string{strconv.Itoa(grpcStatus(p.Code))}
	message := p.Code.Title()
	if p.Detail != "" {
		message = p.Detail
	}
	h["Grpc-Message"] = []string{grpcMessage(message)}
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 && seconds <= maxPushback {
		// Clients that retry by themselves heed this and nothing else (gRPC A6).
		h["Grpc-Retry-Pushback-Ms"] = []string{strconv.Itoa(1000 * seconds)}
	}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(http.StatusOK)
}

// maxPushback is a day in seconds: what is longer tells a client to give up.
const maxPushback = 24 * 60 * 60

// grpcStatus is what a refusal is called in gRPC. It is told by its code and not
// by the status of HTTP, of which clients are taught too few: a bad path would be
// INTERNAL, and a flood UNAVAILABLE, which they retry at once.
func grpcStatus(c problem.Code) int {
	const (
		cancelled, unknown, invalidArgument, deadlineExceeded = 1, 2, 3, 4
		permissionDenied, resourceExhausted                   = 7, 8
		unimplemented, internal, unavailable, unauthenticated = 12, 13, 14, 16
	)
	switch c {
	case problem.MissingToken, problem.InvalidToken:
		return unauthenticated
	case problem.Forbidden, problem.InsufficientScope, problem.WAFDenied:
		return permissionDenied
	case problem.NotFound, problem.MethodNotAllowed, problem.WrongHost:
		return unimplemented
	case problem.BadRequest, problem.AmbiguousPath, problem.UnsupportedMedia, problem.Unprocessable:
		return invalidArgument
	case problem.TooManyRequests, problem.BodyTooLarge, problem.HeadersTooLarge:
		return resourceExhausted
	case problem.RequestTimeout, problem.GatewayTimeout:
		return deadlineExceeded
	case problem.ClientClosed:
		return cancelled
	case problem.BadGateway, problem.Unavailable, problem.Overloaded, problem.IssuerUnavailable, problem.UpstreamBroken:
		return unavailable
	case problem.Internal, problem.AnswerWithheld: // the same again would be withheld again
		return internal
	}
	return unknown
}

// grpcMessage escapes what a header field cannot hold (gRPC over HTTP/2,
// "Status-Message").
func grpcMessage(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
