package limit_test

import (
	"errors"
	"testing"

	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestCapacityRefusesTheOneTooManyAndFreesItsPlaceWhenDone(t *testing.T) {
	t.Parallel()
	c, err := limit.NewCapacity(2)
	if err != nil {
		t.Fatal(err)
	}
	var first, second, third pipeline.Transaction
	if err := errors.Join(c.Decide(&first), c.Decide(&second)); err != nil {
		t.Fatalf("two of two: %v", err)
	}
	if p, ok := errors.AsType[*problem.Problem](c.Decide(&third)); !ok || p.Code != problem.Overloaded || p.Header.Get("Retry-After") == "" {
		t.Fatalf("the third got %v, want overloaded with Retry-After", p)
	}
	third.Done() // a refused request holds no place and must free none
	if err := c.Decide(&third); err == nil {
		t.Fatal("a refusal freed a place")
	}
	first.Done()
	if err := c.Decide(&third); err != nil {
		t.Errorf("after one was done: %v", err)
	}
}

func TestCapacityOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := limit.NewCapacity(0); err == nil {
		t.Error("accepted")
	}
}
