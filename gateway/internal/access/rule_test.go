package access_test

import (
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
)

func TestConditionsOfRules(t *testing.T) {
	t.Parallel()
	helsinki, err := time.LoadLocation("Europe/Helsinki")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) func(*pipeline.Transaction) {
		moment, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return func(tx *pipeline.Transaction) { tx.Start = moment }
	}
	nobody := func(tx *pipeline.Transaction) { tx.Principal = nil }
	claimed := func(v any) func(*pipeline.Transaction) {
		return func(tx *pipeline.Transaction) { tx.Principal.Claims = map[string]any{"tenant": v} }
	}
	is := func(name string, kind token.ClaimType, values ...string) access.Rule {
		return access.Rule{Claims: []access.Claim{{Name: name, Type: kind, Values: texts(values...), Place: "rules.yaml:5"}}}
	}
	office := access.Rule{Hours: []access.Span{span("mon,tue,wed,thu,fri", 8*time.Hour, 18*time.Hour, helsinki)}}
	night := access.Rule{Hours: []access.Span{span("fri", 22*time.Hour, 6*time.Hour, time.UTC)}}
	for name, c := range map[string]struct {
		rule   access.Rule
		change func(*pipeline.Transaction)
		// allows and denies tell what comes of it as an allow rule and as a deny
		// rule: only what is broken does neither and both.
		allows, denies bool
	}{
		"the method is one of those named":           {access.Rule{Methods: texts("POST", "GET")}, nil, true, true},
		"another method is none":                     {access.Rule{Methods: texts("POST")}, nil, false, false},
		"HEAD is GET where a GET route serves it":    {access.Rule{Methods: texts("GET")}, func(tx *pipeline.Transaction) { tx.Request.Method = "HEAD" }, true, true},
		"HEAD is HEAD where the route has it":        {access.Rule{Methods: texts("GET")}, func(tx *pipeline.Transaction) { tx.Request.Method, tx.Route.Methods = "HEAD", []string{"GET", "HEAD"} }, false, false},
		"the client is one of those named":           {access.Rule{Clients: texts("desk", "kiosk")}, nil, true, true},
		"another client is none":                     {access.Rule{Clients: texts("desk")}, nil, false, false},
		"nobody is no client":                        {access.Rule{Clients: texts("kiosk")}, nobody, false, false},
		"the owner owns":                             {access.Rule{Owner: text("guest")}, nil, true, true},
		"nobody owns nothing":                        {access.Rule{Owner: text("guest")}, nobody, false, false},
		"a parameter that is not there has no owner": {access.Rule{Owner: text("user")}, nil, false, false},
		"all scopes are there":                       {access.Rule{Scopes: texts("search:read", "notes:read")}, nil, true, true},
		"one of two scopes is too few":               {access.Rule{Scopes: texts("search:read", "notes:write")}, nil, false, false},
		"the source is in a network":                 {access.Rule{Networks: nets("10.0.0.0/8", "192.0.2.0/24")}, nil, true, true},
		"the source is beside the network":           {access.Rule{Networks: nets("192.0.3.0/24")}, nil, false, false},
		"an address of IPv4 in IPv6 is one of IPv4":  {access.Rule{Networks: nets("192.0.2.0/24")}, func(tx *pipeline.Transaction) { tx.Source = mapped(tx.Source) }, true, true},
		"a claim has the value":                      {is("tenant", token.ClaimText, "other", "acme"), nil, true, true},
		"a claim has another value":                  {is("tenant", token.ClaimText, "other"), nil, false, false},
		"a claim that is absent has no value":        {is("tenant", token.ClaimText, "acme"), func(tx *pipeline.Transaction) { tx.Principal.Claims = nil }, false, false},
		"a claim of another type cannot be judged":   {is("tenant", token.ClaimText, "acme"), claimed(nil), false, true},
		"nobody has claims":                          {is("tenant", token.ClaimText, "acme"), nobody, false, false},
		"a list has one of the values":               {is("groups", token.ClaimTexts, "admin", "staff"), nil, true, true},
		"a list has none of the values":              {is("groups", token.ClaimTexts, "admin"), nil, false, false},
		"a number is compared as one":                {is("level", token.ClaimNumber, "4", "5"), nil, true, true},
		"another number is another":                  {is("level", token.ClaimNumber, "50"), nil, false, false},
		"a truth is true":                            {is("staff", token.ClaimTruth, "true"), nil, true, true},
		"a truth is not false":                       {is("staff", token.ClaimTruth, "false"), nil, false, false},
		"within hours, on the clock of their zone":   {office, at("2026-11-25T06:00:00Z"), true, true},
		"before they begin":                          {office, at("2026-11-25T05:59:59Z"), false, false},
		"up to their last second":                    {office, at("2026-11-25T15:59:59Z"), true, true},
		"when they end":                              {office, at("2026-11-25T16:00:00Z"), false, false},
		"in summer by summer time":                   {office, at("2026-07-01T05:00:00Z"), true, true},
		"on another day":                             {office, at("2026-11-28T10:00:00Z"), false, false},
		"a night begins in the evening":              {night, at("2026-11-27T22:00:00Z"), true, true},
		"and goes on past midnight":                  {night, at("2026-11-28T05:59:00Z"), true, true},
		"until the morning":                          {night, at("2026-11-28T06:00:00Z"), false, false},
		"the morning of its own day is before it":    {night, at("2026-11-27T05:00:00Z"), false, false},
		"one of two spans is enough":                 {access.Rule{Hours: append(night.Hours, office.Hours...)}, nil, true, true},
		"a condition holds":                          {access.Rule{When: cel(t, "token.tenant == 'acme'")}, nil, true, true},
		"a condition does not hold":                  {access.Rule{When: cel(t, "token.tenant != 'acme'")}, nil, false, false},
		"a condition that cannot be told":            {access.Rule{When: cel(t, "token.tenant == 'acme'")}, claimed(nil), false, true},
		"all conditions hold":                        {access.Rule{Clients: texts("kiosk"), Owner: text("guest"), When: cel(t, "token.level == 5")}, nil, true, true},
		"all but one":                                {access.Rule{Clients: texts("kiosk"), Owner: text("guest"), When: cel(t, "token.level == 6")}, nil, false, false},
		"one false beside one that cannot be told":   {access.Rule{Clients: texts("desk"), When: cel(t, "token.level == 5")}, claimed(nil), false, false},
		"missing scopes beside it, too":              {access.Rule{Scopes: texts("admin"), When: cel(t, "token.level == 5")}, claimed(nil), false, false},
		"all hold beside one that cannot be told":    {access.Rule{Scopes: texts("notes:read"), When: cel(t, "token.level == 5")}, claimed(nil), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := asked()
			if c.change != nil {
				c.change(tx)
			}
			if got := authorize(t, []access.Rule{c.rule}, nil).Decide(tx) == nil; got != c.allows {
				t.Errorf("as an allow rule it allows: %v", got)
			}
			open := []access.Rule{{Anyone: true}}
			if got := authorize(t, open, []access.Rule{c.rule}).Decide(tx) != nil; got != c.denies {
				t.Errorf("as a deny rule it denies: %v", got)
			}
		})
	}
}

func TestAConditionNeedsItsPlaces(t *testing.T) {
	t.Parallel()
	w := cel(t, "token.level == 5 && token.tenant == 'acme'")
	w.Places = w.Places[:1]
	if _, err := access.NewAuthorize([]access.Rule{{When: w}}, nil); err == nil {
		t.Error("accepted")
	}
}
