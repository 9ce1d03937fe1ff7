package condition_test

import (
	"errors"
	"strings"
	"testing"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/condition"
)

// The column of each mistake is where «» stands in the text.
func TestWhatIsNoConditionIsSaidWhereItStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, what, hint string }{
		"a variable with a slip":           {`token.client == 'kiosk' && «»token.sbu == 'x'`, `there is no variable "token.sbu"`, `did you mean "token.sub"? A claim must be declared at its issuer:  claims: {sbu: text}`},
		"another family with a slip":       {`«»tokn.sub == 'x'`, `there is no variable "tokn.sub"`, `did you mean "token.sub"?`},
		"a list with a slip":               {`'admin' in «»token.scops`, `there is no variable "token.scops"`, `did you mean "token.scopes"? A claim must be declared at its issuer:  claims: {scops: text}`},
		"what stands after other letters":  {`'é' == «»token.sbu`, `there is no variable "token.sbu"`, `did you mean "token.sub"? A claim must be declared at its issuer:  claims: {sbu: text}`},
		"a parameter with a slip":          {`token.sub == «»params.usr`, `there is no variable "params.usr"`, `did you mean "params.user"?`},
		"a parameter the route has not":    {`token.sub == «»params.reservation`, `there is no variable "params.reservation"`, `the route's path has user, note`},
		"a claim nobody declared":          {`«»token.department == 'x'`, `there is no variable "token.department"`, `if it is a claim, declare it at its issuer:  claims: {department: text}`},
		"a claim with a slip":              {`«»token.tenent == 'x'`, `there is no variable "token.tenent"`, `did you mean "token.tenant"? A claim must be declared at its issuer:  claims: {tenent: text}`},
		"has, which flat names need not":   {`has(«»token.tenant)`, `has does not take "token.tenant"`, `write  'tenant' in token.claims`},
		"a word without quotes":            {`token.client == «»kiosk`, `there is no variable "kiosk"`, `variables are request.content_type, `},
		"a function nobody has":            {`«»lower(token.sub) == 'x'`, `there is no function "lower"`, ``},
		"a function with a slip":           {`token.sub.«»contain('x')`, `there is no function "contain"`, `did you mean "contains"?`},
		"a text compared with a number":    {`token.sub «»== 5`, `"==" does not take (string, int)`, `nothing is converted: compare texts with texts and numbers with numbers`},
		"a claim of another type":          {`token.level «»== '5'`, `"==" does not take (int, string)`, `nothing is converted: compare texts with texts and numbers with numbers`},
		"a text as a truth":                {`«»!token.sub`, `"!" does not take (string)`, `nothing is converted: compare texts with texts and numbers with numbers`},
		"an expression that is a text":     {`«»token.sub`, `a condition is true or false, and this is a string`, `compare it with something`},
		"an expression that is a number":   {`«»size(token.scopes)`, `a condition is true or false, and this is an int`, `compare it with something`},
		"an expression of no type":         {`«»dyn(token.sub)`, `a condition is true or false, and this is a dyn`, `compare it with something`},
		"half an expression":               {`token.sub == «»`, `the condition cannot be read: mismatched input '<EOF>'`, `conditions are CEL, with == and !=, && and ||: token.client == 'kiosk' && source.ip != '192.0.2.10'`},
		"and in place of &&":               {`token.staff «»and token.sub == 'x'`, `the condition cannot be read: mismatched input 'and'`, `conditions are CEL, with == and !=, && and ||: token.client == 'kiosk' && source.ip != '192.0.2.10'`},
		"one equals sign":                  {`token.sub «»= 'x'`, `the condition cannot be read: token recognition error at: '= '`, `conditions are CEL, with == and !=, && and ||: token.client == 'kiosk' && source.ip != '192.0.2.10'`},
		"a pattern the caller chooses":     {`request.path.matches(«»request.query.p)`, `the regular expression of matches is not a literal`, `write it in quotes: whoever chose it could choose what the search costs`},
		"a pattern that is none":           {`request.path.matches(«»'[a')`, `invalid matches argument`, ``},
		"a time that is none":              {`request.time < timestamp(«»'tomorrow')`, `invalid timestamp argument`, ``},
		"a zone the caller chooses":        {`request.time.getHours(«»request.query.z) > 8`, `the time zone is not a literal`, `write it in quotes: 'Europe/Helsinki'`},
		"a zone that does not exist":       {`request.time.getHours(«»'Europe/Helsinky') > 8`, `there is no time zone "Europe/Helsinky"`, `write one as in 'Europe/Helsinki', or an offset as in '+02:00'`},
		"a header in capitals":             {`request.headers[«»'X-Partner'] == 'acme'`, `no header field is called "X-Partner" here`, `names are in lower case: "x-partner"`},
		"a header looked for in capitals":  {`«»'X-Partner' in request.headers`, `no header field is called "X-Partner" here`, `names are in lower case: "x-partner"`},
		"fields compared as a whole":       {`«»request.query != {'page': '2'}`, `request.query is not compared or passed on as a whole`, `ask for one of them, request.query['name'], or whether it is there, 'name' in request.query`},
		"fields among others":              {`[{'x': 'y'}] == [«»request.headers]`, `request.headers is not compared or passed on as a whole`, `ask for one of them, request.headers['name'], `},
		"fields without their type":        {`dyn(«»request.query) == 1`, `request.query is not compared or passed on as a whole`, `ask for one of them, `},
		"a cost that grows with its cube":  {`«»token.scopes.exists(a, token.scopes.exists(b, token.scopes.exists(c, a + b == c)))`, `the condition may cost `, `search shorter texts, or nest fewer of all, exists, map and filter`},
		"a cost that grows with a query":   {`«»request.query.exists(a, request.query.exists(b, a in token.groups))`, `the condition may cost `, `search shorter texts, or nest fewer of all, exists, map and filter`},
		"a search of one text for another": {`«»request.headers.a.contains(request.headers.b)`, `the condition may cost 671093 steps for one request, more than 100000`, `search shorter texts, or nest fewer of all, exists, map and filter`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after, _ := strings.Cut(c.text, "«»")
			_, err := compiler(t).Compile(before+after, scope())
			mistakes, ok := errors.AsType[condition.Mistakes](err)
			if !ok || len(mistakes) == 0 {
				t.Fatalf("compiled: %v", err)
			}
			m := mistakes[0]
			if m.Offset != len(before) || !strings.HasPrefix(m.What, c.what) || !strings.HasPrefix(m.Hint, c.hint) || m.Hint != "" && c.hint == "" {
				t.Errorf("at %d %s (%s), want at %d", m.Offset, m.What, m.Hint, len(before))
			}
		})
	}
}

func TestAllMistakesOfAConditionAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := compiler(t).Compile("token.sbu == 'x' && token.client == kiosk && token.level == '5'", scope())
	if mistakes, _ := errors.AsType[condition.Mistakes](err); len(mistakes) != 3 {
		t.Errorf("%v", err)
	}
}

func TestClaimsThatConditionsCouldNotTellApartAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"client", "scopes", "claims", "issuer", "actor"} {
		if _, err := compiler(t).Compile("true", condition.Scope{Claims: map[string]token.ClaimType{name: token.ClaimText}}); err == nil {
			t.Errorf("a claim %q is accepted", name)
		}
	}
}

func TestAConditionNamesTheVariablesItUses(t *testing.T) {
	t.Parallel()
	const text = "'é' != token.sub && token.scopes.exists(s, s == token.sub) && request.headers['x-a'] == params.user"
	c := compile(t, text)
	var got []string
	for _, u := range c.Uses() {
		got = append(got, u.Name)
		if !strings.HasPrefix(text[u.Offset:], u.Name) {
			t.Errorf("%s is not at %d", u.Name, u.Offset)
		}
	}
	if want := "token.sub token.scopes request.headers params.user"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestScopesThatHoldTheSameHaveOneKey(t *testing.T) {
	t.Parallel()
	text := map[string]token.ClaimType{"a": token.ClaimText}
	a := condition.Scope{Params: []string{"x", "y"}, Claims: text}
	if b := (condition.Scope{Params: []string{"y", "x"}, Claims: text}); a.Key() != b.Key() {
		t.Errorf("%s and %s", a.Key(), b.Key())
	}
	for _, other := range []condition.Scope{{Params: a.Params}, {Claims: text}, {Params: a.Params, Claims: map[string]token.ClaimType{"a": token.ClaimTexts}}} {
		if a.Key() == other.Key() {
			t.Errorf("%s is the key of both", a.Key())
		}
	}
}
