package e2e

import (
	"slices"
	"testing"
)

// books are what the bank says of the hotel's account.
type books struct {
	Charges []struct {
		Key, Status, Last4 string
		Amount, Refunded   int64
	}
	Balance map[string]int64
}

// bank reads the bank's books; only is a charge's key, or empty for all.
func (h *house) bank(t *testing.T, only string) books {
	t.Helper()
	res, err := h.sink.client.Get(h.sink.bankURL + "/charges")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b books
	if err := decode(res.Body, &b); err != nil {
		t.Fatal(err)
	}
	if only != "" {
		b.Charges = slices.DeleteFunc(b.Charges, func(c struct {
			Key, Status, Last4 string
			Amount, Refunded   int64
		}) bool {
			return c.Key != only
		})
	}
	return b
}
