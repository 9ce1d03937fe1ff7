package hotel

// Money is an amount in minor units (cents for EUR) of an ISO 4217 currency.
// It is never a floating point number: those lose cents.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Times is the money for n things of this price.
func (m Money) Times(n int) Money {
	return Money{Amount: m.Amount * int64(n), Currency: m.Currency}
}
