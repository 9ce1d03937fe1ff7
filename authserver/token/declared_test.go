package token_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

func TestDeclaredClaimsAreReadAsDeclaredOrNotAtAll(t *testing.T) {
	t.Parallel()
	issuer := tokentest.New(t)
	cfg := issuer.Config()
	cfg.Claims = map[string]token.ClaimType{
		"tenant": token.ClaimText, "groups": token.ClaimTexts, "level": token.ClaimNumber, "staff": token.ClaimTruth,
	}
	verifier := verifierOf(t, cfg)
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		want   map[string]any
	}{
		"a token without them has none":              {nil, nil},
		"each comes as it was declared":              {map[string]any{"tenant": "acme", "groups": []string{"staff", "admin"}, "level": 5, "staff": true}, map[string]any{"tenant": "acme", "groups": []string{"staff", "admin"}, "level": int64(5), "staff": true}},
		"what is not declared is not read":           {map[string]any{"email": "g@hotel.test", "tenant": "acme"}, map[string]any{"tenant": "acme"}},
		"an empty text is a text":                    {map[string]any{"tenant": ""}, map[string]any{"tenant": ""}},
		"an empty list is a list":                    {map[string]any{"groups": []string{}}, map[string]any{"groups": []string{}}},
		"a number is no text":                        {map[string]any{"tenant": 5}, map[string]any{"tenant": nil}},
		"null is no text":                            {map[string]any{"tenant": jsonNull{}}, map[string]any{"tenant": nil}},
		"a text is no list of one":                   {map[string]any{"groups": "staff"}, map[string]any{"groups": nil}},
		"a list with a number is none of texts":      {map[string]any{"groups": []any{"staff", 5}}, map[string]any{"groups": nil}},
		"a list of one is no text":                   {map[string]any{"tenant": []string{"acme"}}, map[string]any{"tenant": nil}},
		"a text of digits is no number":              {map[string]any{"level": "5"}, map[string]any{"level": nil}},
		"a fraction is no whole number":              {map[string]any{"level": 5.5}, map[string]any{"level": nil}},
		"a number readers disagree on is none":       {map[string]any{"level": 9007199254740993}, map[string]any{"level": nil}},
		"a whole number may be negative":             {map[string]any{"level": -9007199254740991}, map[string]any{"level": int64(-9007199254740991)}},
		"the text true is no truth":                  {map[string]any{"staff": "true"}, map[string]any{"staff": nil}},
		"one is no truth":                            {map[string]any{"staff": 1}, map[string]any{"staff": nil}},
		"a list of 64 is read":                       {map[string]any{"groups": many[:64]}, map[string]any{"groups": many[:64]}},
		"a longer one is not, not even its begin":    {map[string]any{"groups": many}, map[string]any{"groups": nil}},
		"a broken escape makes nothing of the value": {map[string]any{"tenant": "ac\ufffdme"}, map[string]any{"tenant": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := verifier.Verify(t.Context(), issuer.Mint(c.claims), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, p.Claims); diff != "" {
				t.Error(diff)
			}
			for claim, want := range c.want {
				if got, present := p.Claim(claim); !present || !cmp.Equal(got, want) {
					t.Errorf("%s is %v, %v", claim, got, present)
				}
			}
			if got, present := p.Claim("email"); got != nil || present {
				t.Errorf("a claim nobody declared is %v, %v", got, present)
			}
		})
	}
}

// jsonNull is null: Mint takes a claim that is nil out.
type jsonNull struct{}

func (jsonNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Another reader of the token may fold the two and see another tenant.
func TestADeclaredClaimInAnotherSpellingRefusesTheToken(t *testing.T) {
	t.Parallel()
	issuer := tokentest.New(t)
	cfg := issuer.Config()
	cfg.Claims = map[string]token.ClaimType{"tenant": token.ClaimText}
	if p, err := verifierOf(t, cfg).Verify(t.Context(), issuer.Mint(map[string]any{"tenant": "acme", "Tenant": "evil"}), time.Now()); err == nil {
		t.Errorf("accepted as %v", p.Claims)
	}
}

func TestClaimsThatCannotBeDeclared(t *testing.T) {
	t.Parallel()
	many := map[string]token.ClaimType{}
	for i := range 33 {
		many[fmt.Sprint("c", i)] = token.ClaimText
	}
	for name, claims := range map[string]map[string]token.ClaimType{
		"a type that does not exist": {"tenant": "string"},
		"a claim without a name":     {"": token.ClaimText},
		"what is read anyway":        {"sub": token.ClaimText},
		"the same in capitals":       {"SCOPE": token.ClaimText},
		"more than anybody needs":    many,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := token.IssuerConfig{Name: "hotel", URL: "https://auth.hotel.test", Audience: "x", Claims: claims}
			if _, err := token.NewIssuer(cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}
