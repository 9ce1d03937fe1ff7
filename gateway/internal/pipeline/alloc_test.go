//go:build !race

package pipeline_test

import (
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// The race detector allocates, and makes pools forget on purpose.

func TestMatchAllocatesNothing(t *testing.T) {
	s := snapshot([2]string{"GET", "/v1/hotels/{hotel}"}, [2]string{"GET", "/v1/hotels"})
	room := make(pipeline.Params, 0, 4)
	if n := testing.AllocsPerRun(1000, func() {
		if route, params := s.Match("api.hotel.test", "GET", "/v1/hotels/h-7", room); route == nil || len(params) != 1 {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestMatchOnAHostOfItsOwnAllocatesNothing(t *testing.T) {
	s := onHosts("GET /v1/hotels/{hotel} api", "GET /v1/hotels")
	room := make(pipeline.Params, 0, 4)
	if n := testing.AllocsPerRun(1000, func() {
		if route, params := s.Match("api", "GET", "/v1/hotels/h-7", room); route == nil || len(params) != 1 {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
