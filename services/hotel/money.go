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

// Decimals is how many digits of an amount stand behind the point, which ISO
// 4217 says. What a currency is rounded to in daily life, as CLDR has it, is
// something else: a dinar's paras are counted though nobody pays with them.
func (m Money) Decimals() int {
	switch m.Currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}
