package main

import (
	"fmt"
	"strings"
)

// policies gives each row a route of its own; each has one part more than the
// one before. Limits are wide enough never to refuse: a refusal is cheap.
const policies = `version: 1
hosts: [127.0.0.1, api.hotel.test]
trusted_proxies: []

issuers:
  - {name: bench, url: "AUTH", audience: gateway, ca: "CA", revocations: {stale: 5m, then: deny}}

clients:
  - name: bench
    grants: [client_credentials]
    lifetime: 1h
    audiences: [{name: gateway, scopes: [read]}]
  - name: gateway
    grants: [client_credentials, token_exchange]
    serves: [gateway]
    audiences: [{name: backend, scopes: [read]}, {name: authserver, scopes: ["revocations:read"]}]
  - name: service
    grants: [client_credentials]
    audiences: [{name: authserver, scopes: ["revocations:read"]}]
  - name: asserting
    grants: [client_credentials]
    keys: [PUBLICKEY]
    audiences: [{name: gateway, scopes: [read]}]
GUESTS

upstreams:
  - {name: bare, endpoints: ["BACKEND"], credential: {none: "measured apart"}}
  - {name: trusted, endpoints: ["BACKEND"], credential: {client: backend}}
  - {name: exchanged, endpoints: ["BACKEND"], credential: {exchange: backend}}

limits:
  - {name: source, by: source, rate: 1000000/1s, burst: 1000000}
  - {name: principal, by: principal, rate: 1000000/1s, burst: 1000000}

waf:
  - name: api
    paranoia: {blocking: 1, detection: 1}
    threshold: {inbound: 5, outbound: 4}
    inspect: {args: 255, depth: 20, body: 64KiB}

routes:
  - name: forward
    match: GET /forward
    upstream: bare
    authenticate: {none: "measured apart"}
    limits: {none: "measured apart"}
    waf: {none: "measured apart"}
    allow: [{anyone: true, reason: "measured apart"}]
  - name: source
    match: GET /source
    upstream: bare
    authenticate: {none: "measured apart"}
    limits: [source]
    waf: {none: "measured apart"}
    allow: [{anyone: true, reason: "measured apart"}]
  - name: authenticate
    match: GET /authenticate
    upstream: bare
    authenticate: [bench]
    limits: [source]
    waf: {none: "measured apart"}
    allow: [{anyone: true, reason: "measured apart"}]
  - name: authorize
    match: GET /authorize
    upstream: bare
    authenticate: [bench]
    limits: [source]
    waf: {none: "measured apart"}
    allow: [{scopes: [read]}]
  - name: principal
    match: GET /principal
    upstream: bare
    authenticate: [bench]
    limits: [source, principal]
    waf: {none: "measured apart"}
    allow: [{scopes: [read]}]
  - name: full
    match: GET /full
    upstream: trusted
    authenticate: [bench]
    limits: [source, principal]
    waf: {none: "measured apart"}
    allow: [{scopes: [read]}]
  - name: exchanged
    match: GET /exchanged
    upstream: exchanged
    authenticate: [bench]
    limits: [source, principal]
    waf: {none: "measured apart"}
    allow: [{scopes: [read]}]
  - name: full-post
    match: POST /full
    upstream: trusted
    authenticate: [bench]
    limits: [source, principal]
    waf: {none: "measured apart"}
    allow: [{scopes: [read]}]
  - name: waf
    match: GET /waf
    upstream: trusted
    authenticate: [bench]
    limits: [source, principal]
    waf: api
    allow: [{scopes: [read]}]
  - name: waf-post
    match: POST /waf
    upstream: trusted
    authenticate: [bench]
    limits: [source, principal]
    waf: api
    allow: [{scopes: [read]}]
`

// guests is how many clients there are that behave: each may ask a hundred times
// in ten seconds from one source.
const guests = 40

func guest(i int) string { return fmt.Sprintf("guest-%d", i) }

// guestPolicies are their part of the policy.
func guestPolicies() string {
	var all strings.Builder
	for i := range guests {
		fmt.Fprintf(&all, "  - {name: %s, grants: [client_credentials], audiences: [{name: gateway, scopes: [read]}]}\n", guest(i))
	}
	return all.String()
}
