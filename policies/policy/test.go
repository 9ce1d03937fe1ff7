package policy

import "time"

// Test is a described request, or several of a kind, and what must come of it.
// Each test has counters of its own.
type Test struct {
	Pos    Pos
	Name   Value[string]
	Send   Value[string] // GET /v1/hotels?city=Helsinki
	Host   Value[string] // default: the first of hosts
	Header []Field
	// As are the claims of the token the request carries; nil sends none.
	// iss names an issuer of the policies (default: the route's first), sub is
	// the subject, scope and aud are as in a token, exp and iat are durations
	// from now ("-1m"), client_id is the client. Any other claim is taken as it
	// stands.
	As   map[string]any
	From Value[string]    // source address; default 192.0.2.1
	At   Value[time.Time] // when it is sent; default a Wednesday noon
	// JSON, Form and Body, at most one, is what is sent. JSON is encoded.
	JSON  any
	Form  Value[string]
	Body  Value[string]
	Times Value[int]           // how often; all but the last must be allowed
	Every Value[time.Duration] // the time between two of them; default none
	// Answer is what the upstream answers: default 200 without a body.
	Answer Answer
	Expect Expect
}

// Answer is an upstream's answer in a test.
type Answer struct {
	Pos    Pos
	Status Value[int]
	Header []Field
	Body   Value[string]
}

// Expect is what must come of a test. What is not set is not compared.
type Expect struct {
	Pos      Pos
	Decision Value[string] // allow, deny, fault
	Status   Value[int]
	Stage    Value[string]
	Route    Value[string]
	Rule     Value[string] // name of the rule; for the WAF the id of a rule that matched
	Limit    Value[string]
	Code     Value[string] // of the problem
	// Shadow are the rules, limits, profiles and validations that would have
	// decided otherwise; an empty list expects none.
	Shadow    []Value[string]
	ShadowSet bool
	Header    []Field // of the answer; an empty value expects the field absent
	// Forwards is what the upstream must have been sent.
	Forwards *Forwards
}

// Forwards is what a test expects to reach the upstream.
type Forwards struct {
	Pos      Pos
	Upstream Value[string]
	Path     Value[string] // with the query
	Header   []Field       // an empty value expects the field absent
}
