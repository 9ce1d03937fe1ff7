package oauth

import (
	"net/url"
	"testing"
	"time"
)

func TestARedirectURIIsComparedCharacterByCharacter(t *testing.T) {
	t.Parallel()
	known := []string{"https://app.hotel.test/callback", "http://127.0.0.1:7000/callback", "http://[::1]/callback"}
	for uri, want := range map[string]bool{
		"https://app.hotel.test/callback":                   true,
		"http://127.0.0.1:7000/callback":                    true,
		"http://127.0.0.1:1234/callback":                    true, // a native app cannot know its port (RFC 8252 7.3)
		"http://127.0.0.1/callback":                         true,
		"http://[::1]:1234/callback":                        true,
		"https://app.hotel.test/callback/":                  false,
		"https://app.hotel.test/callback/more":              false,
		"https://app.hotel.test/callback?x=1":               false,
		"https://app.hotel.test/callback#x":                 false,
		"https://app.hotel.test/callbac%6b":                 false,
		"https://app.hotel.test:443/callback":               false,
		"HTTPS://app.hotel.test/callback":                   false,
		"https://APP.hotel.test/callback":                   false,
		"http://app.hotel.test/callback":                    false,
		"https://app.hotel.test.evil.test/callback":         false,
		"https://user@app.hotel.test/callback":              false,
		"https://app.hotel.test\\@evil.test/callback":       false,
		"https://evil.test/https://app.hotel.test/callback": false,
		"https://app.hotel.test/callback/../admin":          false,
		"http://127.0.0.1:7000@evil.test/callback":          false,
		"http://127.0.0.1:70000/callbacks":                  false,
		"http://127.0.0.1.evil.test/callback":               false,
		"http://localhost:7000/callback":                    false,
		"http://127.0.0.2:7000/callback":                    false,
		"javascript:alert(1)":                               false,
		"":                                                  false,
	} {
		if got := registered(known, uri); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
}

func TestAnAuthorizationRequestIsAsTheStandardsHaveIt(t *testing.T) {
	t.Parallel()
	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	good := url.Values{"response_type": {"code"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	for name, c := range map[string]struct {
		name, value string
		code        string
	}{
		"as it should be":              {"state", "s", ""},
		"no challenge: PKCE is needed": {"code_challenge", "", "invalid_request"},
		"method plain":                 {"code_challenge_method", "plain", "invalid_request"},
		"no method, which means plain": {"code_challenge_method", "", "invalid_request"},
		"a challenge of 42 characters": {"code_challenge", challenge[1:], "invalid_request"},
		"a challenge with a plus sign": {"code_challenge", "+" + challenge[1:], "invalid_request"},
		"a token in the answer":        {"response_type", "token", "unsupported_response_type"},
		"a hybrid":                     {"response_type", "code id_token", "unsupported_response_type"},
		"no response_type":             {"response_type", "", "invalid_request"},
		"an answer in the fragment":    {"response_mode", "fragment", "invalid_request"},
		"a request object":             {"request", "a.b.c", "request_not_supported"},
		"a request object elsewhere":   {"request_uri", "https://evil.test", "request_uri_not_supported"},
		"a prompt nobody knows":        {"prompt", "consent", "invalid_request"},
		"a max_age below zero":         {"max_age", "-1", "invalid_request"},
		"a state of two KiB":           {"state", string(make([]byte, 0, 1)) + longText(2<<10), "invalid_request"},
	} {
		values := url.Values{}
		for k, v := range good {
			values[k] = v
		}
		values.Set(c.name, c.value)
		err := checkAuthorization(of(t, values.Encode()))
		code := ""
		if err != nil {
			code = err.(*refusal).code //nolint:errorlint,forcetypeassert // the only kind there is
		}
		if code != c.code {
			t.Errorf("%s: %q, want %q", name, code, c.code)
		}
	}
}

func longText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'a'
	}
	return string(text)
}

func TestWhoMustSignInAgain(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	for query, want := range map[string]bool{
		"": false, "prompt=none": false, "prompt=login": true, "max_age=60": false, "max_age=59": false, "max_age=29": true, "max_age=0": true,
		"max_age=9223372037": false, "max_age=18446744074": false, // more nanoseconds than 64 bits hold
	} {
		if got := stale(of(t, query), now.Add(-30*time.Second), now); got != want {
			t.Errorf("%q half a minute after the sign-in: %v, want %v", query, got, want)
		}
	}
}

func TestNobodySignsInForEver(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	for query, want := range map[string]string{
		"client_id=a&prompt=login&state=s": "client_id=a&state=s",
		"client_id=a&p%72ompt=login":       "client_id=a",
		"max_age=0&client_id=a":            "client_id=a",
		"max_age=60&client_id=a":           "max_age=60&client_id=a",
	} {
		got := withoutPrompt(query)
		if got != want || stale(of(t, got), now.Add(-time.Second), now) {
			t.Errorf("%q goes on with %q, want %q and no other sign-in", query, got, want)
		}
	}
}
