package token_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

func TestARevokedOpaqueTokenIsNoticedWithinItsBound(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, func(c *token.IssuerConfig) { c.Introspection.Believe = 10 * time.Second })
	raw := issuer.Opaque(claims{"exp": soon(time.Minute)})
	look := func() problem.Code {
		_, err := verifier.Verify(t.Context(), raw, clock.Now())
		return codeOf(err)
	}
	if look() != "" {
		t.Fatal("a good token was refused")
	}
	known := claims{"sub": "g-7", "client_id": "demo", "aud": tokentest.Audience, "iat": soon(0), "exp": soon(time.Minute)}
	issuer.Know(raw, nil) // revoked
	clock.pass(9 * time.Second)
	if look() != "" {
		t.Error("within the bound the issuer is not asked again")
	}
	clock.pass(time.Second)
	if look() != problem.InvalidToken {
		t.Error("after the bound the revoked token still passes")
	}
	issuer.Know(raw, known)
	clock.pass(4 * time.Second)
	if look() != problem.InvalidToken || issuer.Inquiries() != 2 {
		t.Error("a token that was refused is asked about again at once")
	}
	clock.pass(time.Second)
	if look() != "" {
		t.Error("a token that is active again is refused for longer than five seconds")
	}
}

func TestAnOpaqueTokenIsNotBelievedBeyondItsEnd(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	raw := issuer.Opaque(claims{"exp": clock.Now().Unix() + 5})
	for range 2 {
		if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	clock.pass(6 * time.Second)
	issuer.Know(raw, nil)
	if _, err := verifier.Verify(t.Context(), raw, clock.Now()); codeOf(err) != problem.InvalidToken {
		t.Errorf("after its end: %v", err)
	}
}

func TestOneInquiryServesAllWhoShowTheToken(t *testing.T) {
	issuer := tokentest.New(t)
	verifier, clock := inquires(t, issuer, nil)
	raw := issuer.Opaque(nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := verifier.Verify(t.Context(), raw, clock.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := issuer.Inquiries(); n != 1 {
		t.Errorf("%d inquiries", n)
	}
}

// asked is an issuer in the test's memory, by virtual time: it knows the tokens
// that begin with "good", and takes a while to say so.
type asked struct {
	while     time.Duration
	down      atomic.Bool
	n         atomic.Int64
	now, most atomic.Int64
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.n.Add(1)
	if at := a.now.Add(1); at > a.most.Load() {
		a.most.Store(at)
	}
	defer a.now.Add(-1)
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	time.Sleep(a.while)
	if a.down.Load() {
		return nil, errors.New("connection refused")
	}
	if !strings.HasPrefix(form.Get("token"), "good") {
		return replies(200, "application/json", `{"active":false}`), nil
	}
	return replies(200, "application/json", fmt.Sprintf(`{"active":true,"sub":"g-7","client_id":"demo","aud":%q,"iat":%d,"exp":%d}`,
		tokentest.Audience, time.Now().Unix(), time.Now().Add(time.Hour).Unix())), nil
}

func (a *asked) verifier(t *testing.T) *token.Verifier {
	return verifierOf(t, token.IssuerConfig{
		Name: "hotel", URL: "https://issuer.test", Audience: tokentest.Audience, HTTP: &http.Client{Transport: a},
		Introspection: &token.IntrospectionConfig{URL: "https://issuer.test/i", ClientID: "gateway", Secret: func() (string, error) { return secret, nil }},
	})
}

func TestWhileTheIssuerIsDownItIsLeftAloneAndNobodyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{}
		verifier := issuer.verifier(t)
		look := func(raw string) problem.Code {
			_, err := verifier.Verify(t.Context(), raw, time.Now())
			return codeOf(err)
		}
		if look("good-1") != "" {
			t.Fatal("a good token was refused")
		}
		issuer.down.Store(true)
		for n := range 1000 {
			if look(fmt.Sprint("good-new-", n)) != problem.IssuerUnavailable {
				t.Fatal("a token nobody could tell of was not answered with 503")
			}
		}
		if s := verifier.Inquiry(); !s.Open || s.UnderWay != 0 || s.Flooded {
			t.Errorf("the status is %+v", s)
		}
		if n := issuer.n.Load(); n > 20 {
			t.Errorf("an issuer that is down was asked %d times", n)
		}
		if look("good-1") != "" {
			t.Error("an answer is believed for half a minute, also while the issuer is down")
		}
		time.Sleep(30 * time.Second)
		if look("good-1") != problem.IssuerUnavailable {
			t.Error("an old answer lets somebody in")
		}
		issuer.down.Store(false)
		time.Sleep(10 * time.Second)
		if look("good-2") != "" {
			t.Error("an issuer that is back is not asked")
		}
	})
}

// An attacker sends made-up tokens as fast as it can, for ten seconds. The issuer
// is asked about few of them, what is remembered of good tokens stays, and who was
// here before is still served when the answer about them has to be renewed.
func TestAStormOfMadeUpOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{while: 20 * time.Millisecond}
		verifier := issuer.verifier(t)
		look := func(raw string) problem.Code {
			_, err := verifier.Verify(t.Context(), raw, time.Now())
			return codeOf(err)
		}
		for n := range 100 {
			if look(fmt.Sprint("good-", n)) != "" {
				t.Fatal("a good token was refused")
			}
		}
		time.Sleep(25 * time.Second) // in the midst of the storm, the answers about them end
		before := issuer.n.Load()
		issuer.most.Store(0)
		var all sync.WaitGroup
		for g := range 40 {
			all.Go(func() {
				for n := range 250 {
					switch code := look(fmt.Sprint("made-up-", g, "-", n)); code {
					case problem.InvalidToken, problem.IssuerUnavailable:
					default:
						t.Errorf("a made-up token got %q", code)
					}
					time.Sleep(40 * time.Millisecond)
				}
			})
		}
		refused := 0
		all.Go(func() {
			for range 10 {
				time.Sleep(time.Second)
				for n := range 100 {
					if look(fmt.Sprint("good-", n)) != "" {
						refused++
					}
				}
			}
		})
		all.Wait()
		storm := issuer.n.Load() - before - 100
		t.Logf("of 10,000 made-up tokens the issuer was asked about %d, at most %d at once; of 1,000 requests with good tokens %d were refused", storm, issuer.most.Load(), refused)
		if storm > 200+24+15*50 { // the allowance, those under way, and fifty a second
			t.Errorf("the issuer was asked about %d made-up tokens", storm)
		}
		if issuer.most.Load() > 32 {
			t.Errorf("%d inquiries at once", issuer.most.Load())
		}
		if refused != 0 {
			t.Errorf("%d requests with good tokens were refused", refused)
		}
	})
}

// Made-up tokens that a slow issuer takes its time about do not keep those out who
// were here a moment ago.
func TestWhoWasHereIsAskedAboutWhileStrangersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &asked{}
		verifier := issuer.verifier(t)
		if _, err := verifier.Verify(t.Context(), "good", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // the answer about it ends
		issuer.while = time.Second
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() { _, _ = verifier.Verify(t.Context(), fmt.Sprint("made-up-", n), time.Now()) })
		}
		synctest.Wait()
		if _, err := verifier.Verify(t.Context(), "good", time.Now()); err != nil {
			t.Errorf("the token that was good: %v", err)
		}
		if _, err := verifier.Verify(t.Context(), "good-new", time.Now()); err != nil {
			t.Errorf("a new one, once the others are answered: %v", err)
		}
		all.Wait()
		if n := issuer.most.Load(); n > 25 {
			t.Errorf("the issuer was asked about %d tokens at once", n)
		}
	})
}
