package proof

import (
	"strings"
	"testing"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
)

// bare is a policy without the Core Rule Set, which looks at answers.
func bare(own string) string {
	return `SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecResponseBodyLimit 131073
SecResponseBodyLimitAction Reject
SecRequestBodyLimit 65537
SecAction "id:1,phase:1,pass,nolog,setvar:tx.threshold=4"
` + own
}

// TestARuleForAnswersIsProvedOrLeftToTheEngine: whatever a policy's own rules look
// at in an answer, or in what its request left behind, an answer on which they
// have an effect is not clean.
func TestARuleForAnswersIsProvedOrLeftToTheEngine(t *testing.T) {
	t.Parallel()
	noted := html(200, "a quiet room")
	noted.Fields = append(noted.Fields, collect.Field{Name: "X-Note", Value: "Leak"})
	for name, c := range map[string]struct {
		rules string
		hit   *reply
		// miss is an answer on which they have none; it is proved, unless unproved
		// says that all are left to the engine.
		miss     *reply
		unproved bool
	}{
		"a field by its name":                   {`SecRule RESPONSE_HEADERS:X-NOTE "@contains Leak" "id:10,phase:3,deny,log"`, noted, html(200, "Leak"), false},
		"the names of fields":                   {`SecRule RESPONSE_HEADERS_NAMES "@rx (?i)^x-note$" "id:10,phase:3,deny,log"`, noted, html(200, "x-note"), false},
		"the number of fields":                  {`SecRule &RESPONSE_HEADERS:X-Note "@eq 1" "id:10,phase:3,deny,log"`, noted, html(200, "x"), false},
		"the number of fields, when it is none": {`SecRule &RESPONSE_HEADERS:X-Note "@eq 0" "id:10,phase:3,deny,log"`, html(200, "x"), noted, true},
		"all fields but one":                    {`SecRule RESPONSE_HEADERS|!RESPONSE_HEADERS:X-Other "@streq Leak" "id:10,phase:4,deny,log"`, noted, html(200, "x"), false},
		"the status":                            {`SecRule RESPONSE_STATUS "@rx ^5" "id:10,phase:3,deny,log"`, html(503, "x"), html(200, "503"), false},
		"the type":                              {`SecRule RESPONSE_CONTENT_TYPE "@streq text/html" "id:10,phase:3,deny,log"`, html(200, "x"), nil, false},
		"the protocol":                          {`SecRule RESPONSE_PROTOCOL "@streq HTTP/1.1" "id:10,phase:3,deny,log"`, html(200, "x"), nil, false},
		"the length":                            {`SecRule RESPONSE_CONTENT_LENGTH "@gt 10" "id:10,phase:4,deny,log"`, html(200, "eleven byte"), html(200, "ten  bytes"), false},
		"the body before it is there":           {`SecRule RESPONSE_BODY "^$" "id:10,phase:3,deny,log"`, html(200, "x"), nil, false},
		"what a body does not have":             {`SecRule RESPONSE_BODY "!@contains room" "id:10,phase:4,deny,log"`, html(200, "Leak"), nil, false},
		"a body in other letters":               {`SecRule RESPONSE_BODY "@contains leak" "id:10,phase:4,deny,log,t:none,t:lowercase"`, html(200, "LeAK"), html(200, "lea"), false},
		"a body that is escaped":                {`SecRule RESPONSE_BODY "@contains <leak>" "id:10,phase:4,deny,log,t:none,t:htmlEntityDecode"`, html(200, "&lt;leak&#x3e;"), html(200, "&lt;lea"), false},
		"a body in base64":                      {`SecRule RESPONSE_BODY "@contains Leak" "id:10,phase:4,deny,log,t:none,t:base64Decode"`, html(200, "TGVhaw=="), html(200, "TGVhc"), false},
		"a body by phrases":                     {`SecRule RESPONSE_BODY "@pm leak hole" "id:10,phase:4,deny,log"`, html(200, "a HOLE"), html(200, "hol"), false},
		"letters that fold":                     {`SecRule RESPONSE_BODY "@rx (?i)leaks" "id:10,phase:4,deny,log"`, html(200, "LEAK\u017f"), html(200, "leak"), false},
		"a chain": {`SecRule RESPONSE_STATUS "!@streq 404" "id:10,phase:4,deny,log,chain"
SecRule RESPONSE_BODY "@contains Leak"`, html(200, "Leak"), html(404, "Leak"), false},
		"a chain over what was captured": {`SecRule RESPONSE_BODY "@rx code=(\d+)" "id:10,phase:4,deny,log,capture,chain"
SecRule TX:1 "@gt 40"`, html(200, "code=41"), html(200, "code=39"), false},
		"a score that adds up": {`SecRule RESPONSE_BODY "@contains Leak" "id:10,phase:4,pass,nolog,setvar:tx.score=+4"
SecRule TX:score "@ge %{tx.threshold}" "id:11,phase:4,deny,log"`, html(200, "Leak"), html(200, "x"), false},
		"a variable that the request set": {`SecRule REQUEST_METHOD "@streq GET" "id:10,phase:1,pass,nolog,setvar:tx.flag=1"
SecRule TX:flag "@eq 1" "id:11,phase:4,deny,log"`, html(200, "x"), nil, true},
		"a variable that a chain set which the request did not meet": {`SecRule REQUEST_METHOD "@streq GET" "id:10,phase:1,pass,nolog,setvar:tx.flag=1,chain"
SecRule ARGS:none "@streq never"
SecRule TX:flag "@eq 1" "id:11,phase:4,deny,log"`, html(200, "x"), nil, true},
		"a variable that the request set, in a macro": {`SecRule REQUEST_METHOD "@streq GET" "id:10,phase:1,pass,nolog,setvar:tx.flag=Leak"
SecRule RESPONSE_BODY "@contains %{tx.flag}" "id:11,phase:4,deny,log"`, html(200, "Leak"), nil, true},
		"a variable that phase 3 set": {`SecRule RESPONSE_STATUS "@eq 200" "id:10,phase:3,pass,nolog,setvar:tx.flag=1"
SecRule TX:flag "@eq 1" "id:11,phase:4,deny,log"`, html(200, "x"), html(404, "x"), false},
		"a part of the request": {`SecRule REQUEST_HEADERS:User-Agent "@contains Mozilla" "id:10,phase:4,deny,log"`, html(200, "x"), nil, true},
		"a part of the request in a chain": {`SecRule RESPONSE_BODY "@contains Leak" "id:10,phase:4,deny,log,chain"
SecRule REQUEST_METHOD "@streq GET"`, html(200, "Leak"), html(200, "x"), false},
		"a part of the request in a macro": {`SecRule RESPONSE_BODY "@contains %{REQUEST_HEADERS.host}" "id:10,phase:4,deny,log"`, html(200, "at api.example.com"), nil, false},
		"another variable":                 {`SecRule OUTBOUND_DATA_ERROR "!@eq 1" "id:10,phase:4,deny,log"`, html(200, "x"), nil, true},
		"a rule for answers that the request takes away": {`SecAction "id:10,phase:3,pass,nolog,setvar:tx.score=9"
SecAction "id:11,phase:4,pass,nolog,setvar:tx.score=0"
SecRule TX:score "@ge %{tx.threshold}" "id:12,phase:4,deny,log"
SecRule REQUEST_METHOD "@streq GET" "id:13,phase:1,pass,nolog,ctl:ruleRemoveById=11"`, html(200, "x"), nil, true},
		"a rule that a skip passes over": {`SecAction "id:10,phase:3,pass,nolog,setvar:tx.score=9"
SecRule RESPONSE_STATUS "@eq 200" "id:11,phase:4,pass,nolog,skipAfter:END"
SecAction "id:12,phase:4,pass,nolog,setvar:tx.score=0"
SecMarker END
SecRule TX:score "@ge %{tx.threshold}" "id:13,phase:4,deny,log"`, html(200, "x"), html(404, "x"), false},
		"a skip that goes on in the next phase": {`SecMarker AGAIN
SecAction "id:10,phase:2,pass,nolog,setvar:tx.score=9"
SecRule RESPONSE_STATUS "@eq 200" "id:11,phase:3,pass,nolog,skipAfter:LATE"
SecAction "id:12,phase:4,pass,nolog,setvar:tx.score=0"
SecMarker LATE
SecRule TX:score "@ge %{tx.threshold}" "id:13,phase:4,deny,log"`, nil, html(404, "x"), false},
		"a skip to a marker that was before": {`SecAction "id:10,phase:1,pass,nolog,setvar:tx.score=9"
SecAction "id:11,phase:3,pass,nolog,setvar:tx.score=0"
SecMarker BEFORE
SecRule TX:score "@ge %{tx.threshold}" "id:12,phase:3,deny,log"
SecRule REQUEST_METHOD "@streq GET" "id:13,phase:2,pass,nolog,skipAfter:BEFORE"`, html(200, "x"), nil, true},
		"an answer that is allowed": {`SecRule RESPONSE_STATUS "@eq 200" "id:10,phase:3,allow,nolog"
SecRule RESPONSE_BODY "@contains Leak" "id:11,phase:4,deny,log"`, nil, html(404, "x"), false},
		"every answer":        {`SecAction "id:10,phase:3,deny,log"`, html(200, "x"), nil, true},
		"an unknown operator": {`SecRule RESPONSE_BODY "@validateNid us ([0-9]{3}-[0-9]{2}-[0-9]{4})" "id:10,phase:4,deny,log"`, html(200, "456-45-4567"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := newBoth(bare(c.rules))
			if err != nil {
				t.Fatal(err)
			}
			q := get("/api/v1/orders/12345")
			request := b.asked(q).Clean
			if !request && !c.unproved {
				t.Fatalf("the request is not clean: %+v", b.asked(q))
			}
			if c.hit != nil {
				if found := leaks(t, b.WAF, q, c.hit); found == "" {
					t.Error("the rules have no effect: this test shows nothing")
				}
				if request && b.Answer(&c.hit.Answer, c.hit.body).Clean {
					t.Error("an answer on which they have an effect is clean")
				}
			}
			if c.miss != nil {
				found, v := leaks(t, b.WAF, q, c.miss), b.Answer(&c.miss.Answer, c.miss.body)
				if found != "" || v.Clean == c.unproved {
					t.Errorf("%+v, the engine: %q; %v", v, found, b.Unprovable())
				}
			}
		})
	}
}

// TestEachSabotageOfAnswersIsCaught breaks what proves answers, one place at a
// time, as TestEachSabotageIsCaught does for requests. It is over before those
// that run in parallel begin, which share the program.
func TestEachSabotageOfAnswersIsCaught(t *testing.T) {
	b := answering(t, 1)
	p := b.answer
	q := get("/api/v1/orders/12345")
	texts := append(suiteAnswers(t), "ORA-00942: table or view does not exist", "Server Error in '/shop' Application.", "lea\u212a Dynamic SQL Error", `C:\inetpub\wwwroot`)
	honest := map[*reply]bool{}
	var replies []*reply
	for _, text := range texts {
		r := html(200, text)
		replies, honest[r] = append(replies, r), b.Answer(&r.Answer, r.body).Clean
	}
	caught := func() bool {
		for _, r := range replies {
			if !honest[r] && b.Answer(&r.Answer, r.body).Clean && leaks(t, b.WAF, q, r) != "" {
				return true
			}
		}
		return false
	}
	for name, sabotage := range map[string]func() func(){
		"bodies are not looked at": func() func() {
			was := p.plans[collect.ResponseBody]
			p.plans[collect.ResponseBody] = &plan{}
			return func() { p.plans[collect.ResponseBody] = was }
		},
		"the status is not looked at": func() func() {
			was := p.plans[collect.ResponseStatus]
			p.plans[collect.ResponseStatus] = &plan{}
			return func() { p.plans[collect.ResponseStatus] = was }
		},
		"literals are not looked for": func() func() {
			was := p.automaton
			needs := make([]match.Need, len(p.links))
			for n := range needs {
				needs[n].Sets = [][]string{{"never there"}}
			}
			p.automaton, _ = match.NewAutomaton(needs)
			return func() { p.automaton = was }
		},
		"patterns never match": func() func() {
			was := map[*link]operator{}
			for _, l := range p.links {
				if l.pattern != nil {
					was[l], l.operator = l.operator, func(string, string) bool { return l.negated }
				}
			}
			return func() {
				for l, of := range was {
					l.operator = of
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			undo := sabotage()
			found := caught()
			undo()
			if !found {
				t.Error("nothing shows it")
			}
		})
	}
	if caught() {
		t.Error("the sabotage was not undone")
	}
}

func TestAPolicyThatDoesNotLookAtAnswersProvesNone(t *testing.T) {
	t.Parallel()
	p, _ := shared(t)
	r := html(200, "a quiet room")
	if v := p.Answer(&r.Answer, r.body); v.Clean || !strings.Contains(v.Why, "answers") {
		t.Errorf("%+v", v)
	}
}
