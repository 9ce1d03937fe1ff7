package token_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/problem"
)

// A service checks tokens for itself, and hears of revocations as they happen.
// Nothing is fetched before it is needed, so the issuer may come later.
func ExampleVerifier() {
	feed, err := token.NewSource(token.SourceConfig{
		TokenURL: "https://auth.hotel.test/token",
		ClientID: "search",
		Secret:   func() (string, error) { return token.ReadSecret("/run/secrets/search") },
		Audience: token.FeedAudience,
		Scopes:   []string{token.FeedScope},
	})
	if err != nil {
		panic(err)
	}
	revocations, err := token.NewRevocations(token.RevocationsConfig{
		URL:     "https://auth.hotel.test/revocations",
		Token:   feed.Token,
		Refused: feed.Forget,
		Stale:   5 * time.Minute,
		Then:    token.StaleDeny,
	})
	if err != nil {
		panic(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Name: "hotel", URL: "https://auth.hotel.test", Audience: "search", Revocations: revocations,
	})
	if err != nil {
		panic(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}})
	if err != nil {
		panic(err)
	}
	// go revocations.Run(ctx)

	_, err = verifier.Verify(context.Background(), "not.a.token", time.Now())
	if denial, ok := errors.AsType[*problem.Problem](err); ok {
		fmt.Println(denial.Status(), denial.Code)
	}
	// Output: 401 invalid_token
}

// A guard lets in whoever has a good token with a scope. Its client's name must
// stand in the certificate of the connection too.
func ExampleGuard() {
	issuer, err := token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: "https://auth.hotel.test", Audience: "search"})
	if err != nil {
		panic(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}})
	if err != nil {
		panic(err)
	}
	guard, err := token.NewGuard(token.GuardConfig{
		Verifier: verifier,
		Realm:    "search",
		Peer: func(cs *tls.ConnectionState) (string, bool) { // certs.Peer does this for our certificates
			return cs.PeerCertificates[0].Subject.CommonName, true
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/hotels", guard.Require("search:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := token.FromContext(r.Context())
		fmt.Fprintf(w, "%s asks, by %s", caller.Subject, caller.Client)
	})))
	// Output:
}

// A source keeps a token of our own at hand: for calls in our own name.
func ExampleSource() {
	key, err := token.ReadClientKey("/run/secrets/reservations.pem")
	if err != nil {
		return // here it ends: there is no such file
	}
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: "https://auth.hotel.test/token",
		ClientID: "reservations",
		Key:      key, // or Secret
		Issuer:   "https://auth.hotel.test",
		Audience: "payments",
	})
	if err != nil {
		panic(err)
	}
	raw, err := source.Token(context.Background())
	if err != nil {
		return // a *problem.Problem: unavailable, with Retry-After
	}
	req, _ := http.NewRequest(http.MethodPost, "https://payments.hotel.test/v1/payments", nil)
	req.Header.Set("Authorization", "Bearer "+raw)
	// Output:
}

// An exchanger calls others in the name of who called us. The token we were
// called with is for us alone and is never passed on.
func ExampleExchanger() {
	exchanger, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: "https://auth.hotel.test/token",
		ClientID: "gateway",
		Secret:   func() (string, error) { return token.ReadSecret("/run/secrets/gateway") },
		Audience: "reservations",
	})
	if err != nil {
		panic(err)
	}
	forward := func(w http.ResponseWriter, r *http.Request) {
		callers, err := token.Bearer(r.Header) // verified before
		if err != nil {
			return
		}
		ours, err := exchanger.Token(r.Context(), callers)
		if err != nil {
			return // a *problem.Problem: invalid_token, forbidden or unavailable
		}
		r.Header.Set("Authorization", "Bearer "+ours)
		// ... and when the answer is 401: exchanger.Forget(callers)
	}
	_ = forward
	// Output:
}
