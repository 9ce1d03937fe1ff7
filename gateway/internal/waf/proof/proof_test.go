package proof

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/waf/collect"
)

// TestAGETCostsFewAllocations once its header has been seen.
func TestAGETCostsFewAllocations(t *testing.T) {
	p, _ := shared(t)
	for target, most := range map[string]float64{"/api/v1/orders/12345": 10, "/api/v1/hotels?city=Helsinki&guests=2&page=1": 10} {
		r := get(target)
		k := p.Begin() // the race detector empties pools now and then
		if n := testing.AllocsPerRun(100, func() { k.Head(&r.Head); k.Body("") }); n > most {
			t.Errorf("%s: %v allocations, at most %v are allowed", target, n, most)
		}
	}
}

// TestWhatIsRememberedIsNoSecret and no verdict that depends on anything else.
func TestWhatIsRememberedIsNoSecret(t *testing.T) {
	t.Parallel()
	p, _ := shared(t)
	const secret = "s3cr3t-5ad0"
	for range 3 {
		p.asked(get("/v1/"+secret+"?token="+secret, collect.Field{Name: "Authorization", Value: "Bearer " + secret}, collect.Field{Name: "Cookie", Value: "id=" + secret},
			collect.Field{Name: "Referer", Value: "https://app.example.com/?code=" + secret}, collect.Field{Name: "X-Api-Key", Value: secret}))
	}
	kept := 0
	for n := range p.memory.slots {
		if r := p.memory.slots[n].Load(); r != nil {
			kept++
			if strings.Contains(r.value, secret) {
				t.Errorf("%q is remembered", r.value)
			}
		}
	}
	if kept < 10 {
		t.Errorf("only %d values are remembered: this test looks in the wrong place", kept)
	}
}

// TestAWarmProgramSaysWhatAColdOneSays: a clean value of one place must not make
// another's clean, nor one that a chain needs be forgotten.
func TestAWarmProgramSaysWhatAColdOneSays(t *testing.T) {
	t.Parallel()
	session := func(referer string) *request {
		return get("/a?sessionid=1", collect.Field{Name: "Referer", Value: referer})
	}
	p, _ := shared(t)
	const elsewhere = "https://evil.example/page"
	for _, test := range []struct {
		what  string
		r     *request
		clean bool
	}{
		{"the referer alone is clean, and remembered", get("/a", collect.Field{Name: "Referer", Value: elsewhere}), true},
		{"with a session in the query it is session fixation", session(elsewhere), false},
		{"a word as Content-Type is clean as a User-Agent only", get("/", collect.Field{Name: "Content-Type", Value: "Mozilla/5.0 (X11; Linux x86_64)"}), false},
		{"a restricted field", get("/", collect.Field{Name: "Content-Encoding", Value: "gzip"}), false},
		{"the same, asked again", get("/", collect.Field{Name: "Content-Encoding", Value: "gzip"}), false},
	} {
		if v := p.asked(test.r); v.Clean != test.clean {
			t.Errorf("%s: %+v", test.what, v)
		}
	}
	for name, r := range theCases() {
		if first, second := p.asked(r), p.asked(r); first != second {
			t.Errorf("%s: %+v, then %+v", name, first, second)
		}
	}
}

// TestRulesOfAPolicysOwn are proved like the set's, or named.
func TestRulesOfAPolicysOwn(t *testing.T) {
	t.Parallel()
	const own = `SecRule REQUEST_FILENAME "@beginsWith /admin" "id:10001,phase:1,deny,status:403,log,chain"
SecRule ARGS:debug "@streq 1" "t:lowercase"
SecRule REQUEST_URI "@beginsWith /api/items" "id:10002,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942100;ARGS:q"
SecRule ARGS_POST:json.file "@inspectFile /bin/true" "id:10003,phase:2,deny,status:403,log"
SecRule ARGS:page|ARGS_NAMES:debug "!@rx ^(?:[0-9]+|debug)$" "id:10004,phase:2,deny,status:400,log"
SecRule REQUEST_URI "@beginsWith /two" "id:10005,phase:2,deny,log,chain"
SecRule ARGS "@rx (a+)(b+)" "capture,setvar:tx.seen_a=%{tx.1},chain"
SecRule TX:2 "@streq bb" "chain"
SecRule TX:seen_a "@within aa aaaa"
SecRule &REQUEST_HEADERS:X-Two "@eq 2" "id:10006,phase:1,deny,log,setvar:tx.two=%{request_headers.x-two},chain"
SecRule TX:two "@streq bad"
SecRule MULTIPART_PART_HEADERS "@rx ^(?i)x-([a-z]+):" "id:10007,phase:2,pass,nolog,capture,t:none,setvar:'tx.noted_%{tx.n_noted}=%{tx.1}',setvar:tx.n_noted=+1"
SecRule TX:/^noted_/ "@streq evil" "id:10008,phase:2,deny,log,t:lowercase"
SecRuleUpdateTargetById 941100 "!ARGS:text"
SecRuleUpdateTargetById 932230 "!ARGS:/^Q/"
`
	withoutInspect := strings.ReplaceAll(own, "@inspectFile /bin/true", "@unconditionalMatch")
	p, w := program(t, 1, own), engine(t, 1, withoutInspect)
	var named []string
	for _, u := range p.Unprovable() {
		named = append(named, u.String())
	}
	if all := strings.Join(named, "\n"); !strings.Contains(all, "rule 10003 at line 22: operator @inspectFile is not provable; requests with ARGS_POST:json.file always run the engine") {
		t.Errorf("unprovable is said to be:\n%s", all)
	}
	for _, r := range []*request{
		get("/admin"), get("/admin?debug=0"), get("/admin?debug=1"), get("/admin?DEBUG=1"), get("/other?debug=1"), get("/x?page=1"), get("/x?page=a"), get("/x?page="),
		get("/api/items?q=1%27%20or%201=1"), get("/x?text=<script>alert(1)</script>"), get("/two?x=aabb"), get("/two?x=aabb&y=aaabbb"), get("/two?x=aaab&y=bb"), get("/one?x=aabb"),
		get("/x", collect.Field{Name: "X-Two", Value: "bad"}, collect.Field{Name: "X-Two", Value: "worse"}),
		post("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\nX-Good: 1\r\nX-Evil: 2\r\n\r\n1\r\n--b--\r\n"),
		post("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\nX-Good: 1\r\n\r\n1\r\n--b--\r\n"),
		post("application/json", `{"a":"b"}`), post("application/json", `{"file":"b"}`), post("application/x-www-form-urlencoded", "page=a"),
	} {
		v, found := p.asked(r), effects(w, r)
		if v.Clean && found != "" {
			t.Errorf("said to be clean, the engine: %s\n%v", found, r)
		}
		if !v.Clean && found == "" {
			t.Logf("unsure without need by %d, %s: %v", v.Rule, v.Why, r.Target)
		}
	}
}

// TestAPolicyThatIsNotUnderstoodProvesNothing and says why.
func TestAPolicyThatIsNotUnderstoodProvesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ directive, why string }{
		"an unknown directive":            {"SecRuleUpdateActionById 942100 \"pass\"", "secruleupdateactionbyid"},
		"the engine off":                  {"SecRuleEngine Off", "SecRuleEngine"},
		"bodies not read":                 {"SecRequestBodyAccess Off", "SecRequestBodyAccess"},
		"a rule that denies all":          {`SecAction "id:10001,phase:1,deny"`, "10001"},
		"a variable from every request":   {`SecAction "id:10001,phase:1,pass,nolog,setvar:tx.x=%{request_uri}"`, "variable"},
		"a variable that is not provable": {`SecRule DURATION "@gt 5" "id:10001,phase:1,deny"`, "10001"},
		"a ctl that turns the engine off": {`SecAction "id:10001,phase:1,pass,nolog,ctl:ruleEngine=Off"`, "10001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Compile(Config{Directives: "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule ARGS \"@rx attack\" \"id:1,phase:2,deny\"\n" + test.directive})
			if err != nil {
				t.Fatal(err)
			}
			if v := p.asked(get("/")); v.Clean || !strings.Contains(v.Why, test.why) {
				t.Errorf("%+v", v)
			}
			told := p.Unprovable()
			if len(told) == 0 || strings.Contains(told[0].String(), "line 0") {
				t.Errorf("what is told: %v", told)
			}
		})
	}
	if _, err := Compile(Config{Directives: "SecRuleEngine On"}); err == nil {
		t.Error("a policy without a rule is taken")
	}
}

// TestManyAtOnce shares a cold program between goroutines, for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	p := program(t, 1, "")
	var waiting sync.WaitGroup
	for worker := range 8 {
		waiting.Go(func() {
			for n := range 10 {
				for name, r := range theCases() {
					if v := p.asked(r); v.Clean == strings.HasPrefix(name, "f ") {
						t.Errorf("%s: %+v", name, v)
					}
				}
				p.asked(get(fmt.Sprintf("/%d?x%d=%d", n, worker, n*worker)))
			}
		})
	}
	waiting.Wait()
}
