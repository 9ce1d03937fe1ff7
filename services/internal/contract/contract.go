// Package contract holds a service to its OpenAPI document. It is for tests:
// what the document says and what the service does cannot drift apart while
// they pass.
package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/go-chi/chi/v5"
)

// Contract is a valid OpenAPI document.
type Contract struct {
	document *openapi3.T
	router   routers.Router
}

// Parse reads an OpenAPI document and says what is wrong with it.
func Parse(document []byte) (*Contract, error) {
	loader := openapi3.NewLoader()
	parsed, err := loader.LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	if err := parsed.Validate(loader.Context); err != nil {
		return nil, fmt.Errorf("the contract is not valid OpenAPI: %w", err)
	}
	router, err := gorillamux.NewRouter(parsed)
	if err != nil {
		return nil, fmt.Errorf("route by the contract: %w", err)
	}
	return &Contract{document: parsed, router: router}, nil
}

// Differences lists the operations that only the contract or only the router
// has. Both are walked.
func (c *Contract) Differences(routes chi.Routes) ([]string, error) {
	written, served := map[string]bool{}, map[string]bool{}
	for path, item := range c.document.Paths.Map() {
		for method := range item.Operations() {
			written[method+" "+path] = true
		}
	}
	err := chi.Walk(routes, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served[method+" "+pattern] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk the routes: %w", err)
	}
	var differences []string
	for operation := range written {
		if !served[operation] {
			differences = append(differences, operation+" is in the contract and has no route")
		}
	}
	for operation := range served {
		if !written[operation] {
			differences = append(differences, operation+" is served and not in the contract")
		}
	}
	slices.Sort(differences)
	return differences, nil
}

// Serves fails the test when a document is not a contract, or has not exactly
// the operations that the routes have.
func Serves(t testing.TB, document []byte, routes http.Handler) {
	t.Helper()
	agreed, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	differences, err := agreed.Differences(routes.(chi.Routes))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
}

// Transport fails the test when an answer that passes through it is not one the
// contract announces, or when a request that succeeded is not one it allows.
// Requests that the contract has no operation for pass unchecked.
func (c *Contract) Transport(t testing.TB, next http.RoundTripper) http.RoundTripper {
	return &transport{t: t, contract: c, next: next}
}

type transport struct {
	t        testing.TB
	contract *Contract
	next     http.RoundTripper
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := drain(&r.Body)
	if err != nil {
		return nil, err
	}
	resp, err := tr.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := drain(&resp.Body)
	if err != nil {
		return nil, err
	}
	if err := tr.contract.check(r, sent, resp, body); err != nil {
		tr.t.Errorf("%s %s answered %d: %v", r.Method, r.URL, resp.StatusCode, err)
	}
	return resp, nil
}

// drain reads a body and puts an equal one in its place.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil || *body == http.NoBody {
		return nil, nil
	}
	all, err := io.ReadAll(*body)
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(all))
	return all, err
}

func (c *Contract) check(r *http.Request, sent []byte, resp *http.Response, body []byte) error {
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(sent))
	route, params, err := c.router.FindRoute(copied)
	if err != nil {
		return nil //nolint:nilerr // what the contract does not know, it does not judge
	}
	input := &openapi3filter.RequestValidationInput{
		Request:    copied,
		PathParams: params,
		Route:      route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, // an unannounced status is an error
			MultiError:            true,
			// Whether a token is good is the guard's business, not the document's.
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return fmt.Errorf("it took a request that the contract does not allow: %w", err)
		}
	}
	if err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                input.Options,
	}); err != nil {
		return fmt.Errorf("the contract announces another answer: %w", err)
	}
	return nil
}
