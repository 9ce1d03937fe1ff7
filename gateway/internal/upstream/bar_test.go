package upstream

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// bar is what a forward path has to do right, case by case, over raw
// connections to a backend that says exactly what it is told to. Whoever
// replaces the engine below Forward has to clear it again.
func bar() []struct {
	what string
	test func(*testing.T)
	row  string // of that test's table
} {
	type c = struct {
		what string
		test func(*testing.T)
		row  string
	}
	refused := func(what, row string) c { return c{what, TestMalformedAnswersAreNeverRelayedAsWhole, row} }
	return []c{
		// Bodies and trailers.
		{"a request body with a length arrives whole", TestABodyWithALengthArrivesWhole, ""},
		{"a chunked request streams: its first chunk arrives before the second is sent", TestAChunkedRequestStreamsWithItsTrailers, ""},
		{"the trailers of a request arrive", TestAChunkedRequestStreamsWithItsTrailers, ""},
		{"a chunked answer streams and keeps its trailers", TestAChunkedAnswerStreamsWithItsTrailers, ""},
		{"a large answer arrives whole, in constant memory", TestLargeBodiesPassInConstantMemory, ""},
		{"a body that ends with the connection arrives", TestABodyThatEndsWithTheConnectionArrives, ""},
		{"HEAD, 204 and 304 have no body and keep the connection", TestHeadNoContentAndNotModifiedHaveNoBodyAndKeepTheConnection, ""},
		// What comes before or beside the answer.
		{"103 Early Hints reach the client", TestEarlyHintsReachTheClientWithoutTheAnswersFields, ""},
		{"100-continue: an upstream that refuses is not sent the body", TestARefusingUpstreamIsNotSentTheBodyThatWaits, ""},
		{"100-continue: an upstream that agrees gets the body, and the client its 100 only then", TestAnAgreeingUpstreamGetsTheBodyThatWaits, ""},
		{"an early answer reaches a client that is still sending, and the rest is no request", TestAnEarlyAnswerReachesAClientThatIsStillSending, ""},
		{"a WebSocket becomes a tunnel", TestAWebSocketBecomesATunnelWhereTheRouteSaysSo, ""},
		{"fields of one hop stay on it, both ways", TestHopByHopFieldsStayOnTheirHop, ""},
		// Connections.
		{"a kept connection that died is replaced", TestAKeptConnectionThatDiedIsReplaced, ""},
		{"a POST that may have been seen is not sent twice", TestAPostThatMayHaveBeenSeenIsNotSentTwice, ""},
		{"a thousand requests share a connection", TestAThousandRequestsShareAConnection, ""},
		{"pipelined requests are answered in their order", TestPipelinedRequestsAreAnsweredInOrder, ""},
		{"a client that leaves ends the upstream's request", TestAClientThatLeavesEndsTheUpstreamRequest, ""},
		{"a silent upstream ends in 504", TestASlowUpstreamEndsAtTheBound, ""},
		{"an answer nobody asked for is not given to the next request", TestAnAnswerNobodyAskedForIsNotGivenToTheNextRequest, ""},
		// Answers that could be read in two ways.
		refused("a huge head", "a head larger than its bound"),
		refused("a short body cuts the connection", "a body shorter than its length"),
		refused("a chunked body cut short cuts the connection", "a chunked body cut short"),
		refused("a bad chunk size", "a chunk size in another notation"),
		refused("a chunk that is longer than it says", "a chunk longer than its size"),
		refused("bare line feeds around chunks", "chunk lines that end in a bare line feed"),
		refused("Content-Length with Transfer-Encoding", "Content-Length beside Transfer-Encoding"),
		refused("two lengths", "two lengths"),
		refused("a signed length", "a signed length"),
		refused("an unknown transfer coding", "an unknown transfer coding"),
		refused("a folded field", "a folded field"),
		refused("bare line feeds in a head", "lines that end in a bare line feed"),
		refused("a bare carriage return", "a bare carriage return in a field"),
		refused("a space before the colon", "a space before the colon"),
	}
}

// TestTheBarOfAForwardPathIsWhole counts the cases, and sees that each stands as
// a test: this runs none of them again.
func TestTheBarOfAForwardPathIsWhole(t *testing.T) {
	heads, bodies := malformedHeads(), malformedBodies()
	seen := map[string]bool{}
	for _, c := range bar() {
		name := runtime.FuncForPC(reflect.ValueOf(c.test).Pointer()).Name()
		if i := strings.LastIndexByte(name, '.'); !strings.HasPrefix(name[i+1:], "Test") {
			t.Errorf("%q: %s is not run as a test", c.what, name)
		}
		if c.row != "" && heads[c.row]+bodies[c.row] == "" {
			t.Errorf("%q: %s has no row %q", c.what, name, c.row)
		}
		if seen[c.what] {
			t.Errorf("%q stands there twice", c.what)
		}
		seen[c.what] = true
	}
	want(t, "cases", len(seen), 34)
}
