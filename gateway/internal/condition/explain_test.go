package condition_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/condition"
	"portcullis/gateway/internal/pipeline"
)

func TestExplainTellsOfEachConjunct(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []condition.Conjunct
	}{
		"values of what was compared": {"token.client == 'kiosk' && token.sub == params.user", []condition.Conjunct{
			{Text: `token.client == "kiosk"`, Offset: 0, State: pipeline.Holds, Values: `token.client = "kiosk"`},
			{Text: `token.sub == params.user`, Offset: 27, State: pipeline.Fails, Values: `token.sub = "u-7", params.user = "u-9"`, Mend: `token.sub = "u-9"`},
		}},
		"also within parentheses": {"(token.staff && 'x' in token.scopes) && !(source.ip == '192.0.2.7')", []condition.Conjunct{
			{Text: `token.staff`, Offset: 1, State: pipeline.Holds, Values: `token.staff = true`},
			{Text: `"x" in token.scopes`, Offset: 16, State: pipeline.Fails, Values: `token.scopes = ["notes:read", "notes:write"]`, Mend: `"x" in token.scopes`},
			{Text: `!(source.ip == "192.0.2.7")`, Offset: 40, State: pipeline.Fails, Values: `source.ip = "192.0.2.7"`, Mend: `!(source.ip == "192.0.2.7")`},
		}},
		"one that is no conjunction stays whole": {"token.staff || token.level == 5", []condition.Conjunct{
			{Text: `token.staff || token.level == 5`, Offset: 0, State: pipeline.Holds, Values: `token.staff = true, token.level = 500`},
		}},
		"a header shows nothing": {"request.headers['x-partner'] == 'other'", []condition.Conjunct{
			{Text: `request.headers["x-partner"] == "other"`, Offset: 0, State: pipeline.Fails, Values: `request.headers["x-partner"] (not shown)`, Mend: `request.headers["x-partner"] == "other"`},
		}},
		"a parameter that may be shown is": {"request.query.page == '3'", []condition.Conjunct{
			{Text: `request.query.page == "3"`, Offset: 0, State: pipeline.Fails, Values: `request.query["page"] = "2"`, Mend: `request.query.page == "3"`},
		}},
		"credentials are not, whatever is said": {"request.headers['authorization'] == 'x'", []condition.Conjunct{
			{Text: `request.headers["authorization"] == "x"`, Offset: 0, State: pipeline.Fails, Values: `request.headers["authorization"] (not shown)`, Mend: `request.headers["authorization"] == "x"`},
		}},
		"why something is broken": {"request.headers['x-twice'] == 'a' && request.query['none'] == 'a'", []condition.Conjunct{
			{Text: `request.headers["x-twice"] == "a"`, Offset: 0, State: pipeline.Broken, Values: `request.headers["x-twice"] (more than once)`, Mend: `request.headers["x-twice"] == "a"`},
			{Text: `request.query["none"] == "a"`, Offset: 37, State: pipeline.Broken, Values: `request.query["none"] (absent)`, Mend: `request.query["none"] == "a"`},
		}},
		"a macro as it was written": {"token.scopes.exists(s, s == 'x')", []condition.Conjunct{
			{Text: `token.scopes.exists(s, s == "x")`, Offset: 0, State: pipeline.Fails, Values: `token.scopes = ["notes:read", "notes:write"]`, Mend: `token.scopes.exists(s, s == "x")`},
		}},
		"all headers at once show none": {"request.headers.exists(n, request.headers[n] == 'x')", []condition.Conjunct{
			{Text: `request.headers.exists(n, request.headers[n] == "x")`, Offset: 0, State: pipeline.Broken, Values: `request.headers (not shown)`, Mend: `request.headers.exists(n, request.headers[n] == "x")`},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			condition := compile(t, c.text)
			visible := func(field string) bool { return field == "page" || field == "authorization" }
			got := condition.Explain(request(), visible)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			var offsets []int
			for _, conjunct := range got {
				offsets = append(offsets, conjunct.Offset)
			}
			if diff := cmp.Diff(offsets, condition.Offsets()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplainSaysThatAClaimIsAbsent(t *testing.T) {
	t.Parallel()
	tx := request()
	tx.Principal.Claims = map[string]any{"level": nil}
	got := compile(t, "token.tenant == 'acme' && token.level == 5").Explain(tx, nil)
	if got[0].Values != "token.tenant = (token.tenant is absent)" || got[1].Values != "token.level = (token.level is of another type)" {
		t.Errorf("%v", got)
	}
}

// What a caller sends is quoted and cut: it can neither forge a line of an
// explanation nor fill a screen.
func TestExplainQuotesAndCutsWhatCallersSend(t *testing.T) {
	t.Parallel()
	tx := request()
	tx.Params[0].Value = "x\n✓ allowed" + strings.Repeat("y", 1000)
	got := compile(t, "token.sub == params.user").Explain(tx, nil)[0].Values
	if strings.ContainsRune(got, '\n') || len(got) > 200 || !strings.Contains(got, `params.user = "x\n✓ allowedyyy`) {
		t.Errorf("%s", got)
	}
}
