package oauth

// CheckIssuer is checkIssuer, for tests.
func CheckIssuer(issuer string) error { return checkIssuer(issuer) }
