package waf

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// brokenExport refuses what attacks the export of a service: a path out of its
// folder, and a template that it would evaluate.
func brokenExport() Patch {
	return Patch{
		File: "waf/export.conf",
		Text: `# The export of the booking service, until it is mended.
SecRule REQUEST_FILENAME "@beginsWith /v1/exports" \
    "id:1000001,phase:2,deny,t:none,t:normalizePath,msg:'export by template',tag:'patch',chain"
    SecRule ARGS:template "@contains [[load:" "t:none,t:urlDecodeUni,t:lowercase"

SecRule REQUEST_HEADERS:X-Export-Name "@rx ^\.+$" "id:1000002,phase:1,deny,status:400,log,msg:'export without a name'"
SecRule ARGS:template "@rx ^draft" "id:1000003,phase:2,pass,log,msg:'a draft'"
`,
		MustPass:  []string{"template=%5B%5Bload%3Aname%5D%5D", "POST /v1/exports\n\n{\"template\": \"invoice\"}", "GET /v1/exports\nX-Export-Name: july"},
		MustBlock: []string{"GET /v1/exports?template=%5B%5Bload%3Aname%5D%5D", "GET /v1/exports\nX-Export-Name: .."},
	}
}

func patching(patches ...Patch) (*Inspector, error) {
	return New(Config{Profile: Profile{Name: "api"}, Patches: patches, Log: slog.New(slog.DiscardHandler)})
}

var patchedExport = sync.OnceValues(func() (*Inspector, error) { return patching(brokenExport()) })

func exported(t testing.TB) *Inspector {
	t.Helper()
	i, err := patchedExport()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestAPatchRefusesWhatItIsForAndNothingElse(t *testing.T) {
	i := exported(t)
	field := func(value string) *pipeline.Transaction {
		tx := request("GET", "/v1/exports", "", "")
		tx.Request.Header["X-Export-Name"] = []string{value}
		return tx
	}
	for name, tc := range map[string]struct {
		tx    *pipeline.Transaction
		rule  string // empty: it passes
		rules string
	}{
		"the attack": {request("GET", "/v1/exports?template=%5B%5Bload%3Ax%5D%5D", "", ""), "waf:api:1000001", "[1000001]"},
		"the attack in JSON does not have the parameter":  {request("POST", "/v1/exports", jsonMedia, `{"template":"[[load:x]]"}`), "", "[]"},
		"the attack in a form":                            {request("POST", "/v1/exports/1", formMedia, "template=[[load:x]]"), "waf:api:1000001", "[1000001]"},
		"the text elsewhere":                              {request("GET", "/v1/notes?template=%5B%5Bload%3Ax%5D%5D", "", ""), "", "[]"},
		"a path made to look otherwise":                   {request("GET", "/v1/./exports?template=%5B%5Bload%3Ax%5D%5D", "", ""), "waf:api:1000001", "[1000001]"},
		"in the head, by a status of the request's fault": {field(".."), "waf:api:1000002", "[1000002]"},
		"an ordinary field":                               {field("july"), "", "[]"},
		"a rule that only tells":                          {request("GET", "/v1/exports?template=draft-2", "", ""), "", "[1000003]"},
		"an attack that the Core Rule Set knows":          {request("GET", "/v1/exports?q=1%27%20OR%201=1--%20-", "", ""), "waf:api:949110", "[942100]"},
	} {
		t.Run(name, func(t *testing.T) {
			again := copied(t, tc.tx)
			d := through(i, NewGate(0), tc.tx)
			if (d.Kind == pipeline.Allow) != (tc.rule == "") || tc.tx.Rule != tc.rule || fmt.Sprint(tc.tx.WAF.Rules) != tc.rules {
				t.Errorf("%v by %q, rules %v", d.Kind, tc.tx.Rule, tc.tx.WAF.Rules)
			}
			sameInEveryMode(t, i, tc.tx, again, d)
		})
	}
}

func TestWhatAPatchMayNotSayIsRefusedWithItsLine(t *testing.T) {
	const rule = `SecRule ARGS:a "@streq attack" "id:1000001,phase:2,deny"` + "\n"
	for name, tc := range map[string]struct {
		text string
		line int
		want string
	}{
		"the engine switched off":              {rule + "SecRuleEngine Off\n", 2, `the directive "SecRuleEngine" does not belong`},
		"only watched":                         {rule + "secruleengine DetectionOnly\n", 2, `the directive "secruleengine" does not belong`},
		"bodies unread":                        {"SecRequestBodyAccess Off\n" + rule, 1, `"SecRequestBodyAccess"`},
		"a rule of the rule set removed":       {rule + "\n\nSecRuleRemoveById 942100", 4, `"SecRuleRemoveById"`},
		"what decides removed, by its tag":     {rule + "SecRuleRemoveByTag OWASP_CRS", 2, `"SecRuleRemoveByTag"`},
		"a target taken away":                  {rule + `SecRuleUpdateTargetById 942100 "!ARGS"`, 2, `"SecRuleUpdateTargetById"`},
		"an action changed":                    {rule + `SecRuleUpdateActionById 949110 "pass"`, 2, `"SecRuleUpdateActionById"`},
		"another file":                         {rule + "Include /etc/passwd", 2, `"Include"`},
		"an audit log somewhere":               {rule + "SecAuditLog /tmp/x", 2, `"SecAuditLog"`},
		"a folder for uploads":                 {rule + "SecUploadDir /tmp", 2, `"SecUploadDir"`},
		"a data set":                           {rule + "SecDataset words `\none\n`", 2, "backtick"},
		"a directive split over lines":         {rule + "SecRule\\\nEngine Off", 2, `"secruleengine"`},
		"a directive nobody knows":             {rule + "SecAnything On", 2, `"SecAnything"`},
		"a tab in place of a space":            {"SecRule\tARGS \"x\" \"id:1000001\"", 1, "does not belong"},
		"an id of the rule set":                {strings.ReplaceAll(rule, "1000001", "942100"), 1, "the id 942100 is not one of a patch"},
		"an id behind the range":               {strings.ReplaceAll(rule, "1000001", "1100000"), 1, "the id 1100000 is not one of a patch"},
		"no id":                                {strings.ReplaceAll(rule, "id:1000001,", ""), 1, "the rule has no id"},
		"an id twice":                          {rule + rule, 2, "rule 1000001 is there already"},
		"the engine switched off by an action": {strings.ReplaceAll(rule, "deny", "deny,ctl:ruleEngine=Off"), 1, "the action ctl"},
		"rules removed by an action":           {strings.ReplaceAll(rule, "deny", "pass,CTL:ruleRemoveById=942100"), 1, "the action ctl"},
		"allow":                                {strings.ReplaceAll(rule, "deny", "allow"), 1, "the action allow"},
		"a program":                            {strings.ReplaceAll(rule, "deny", "deny,exec:/bin/sh"), 1, "the action exec"},
		"a collection that lasts":              {strings.ReplaceAll(rule, "deny", "deny,initcol:ip=%{REMOTE_ADDR}"), 1, "the action initcol"},
		"the environment":                      {strings.ReplaceAll(rule, "deny", "deny,setenv:PATH=/tmp"), 1, "the action setenv"},
		"a redirect that a caller shapes":      {strings.ReplaceAll(rule, "deny", "redirect:https://hotel.test/?to=%{ARGS.a}"), 1, "the action redirect to"},
		"a redirect to another host":           {strings.ReplaceAll(rule, "deny", "redirect://evil.example/"), 1, "the action redirect to"},
		"a redirect to a script":               {strings.ReplaceAll(rule, "deny", "redirect:javascript:alert(1)"), 1, "the action redirect to"},
		"a redirect with a name before it":     {strings.ReplaceAll(rule, "deny", "redirect:https://hotel.test@evil.example/"), 1, "the action redirect to"},
		"a redirect by no such status":         {strings.ReplaceAll(rule, "deny", "redirect:/sorry,status:308"), 1, "status:308"},
		"a status of what is not answered":     {strings.ReplaceAll(rule, "deny", "drop,status:403"), 1, "the action status:403"},
		"skipping by number":                   {strings.ReplaceAll(rule, "deny", "pass,skip:100"), 1, "the action skip"},
		"skipping what decides":                {strings.ReplaceAll(rule, "deny", "pass,skipAfter:END-REQUEST-949-BLOCKING-EVALUATION"), 1, "skips to"},
		"skipping to a marker before it":       {"SecMarker PATCH-X\n" + strings.ReplaceAll(rule, "deny", "pass,skipAfter:PATCH-X"), 2, "skips to"},
		"a marker of the rule set":             {rule + "SecMarker END-REQUEST-942-APPLICATION-ATTACK-SQLI", 2, "could be another's"},
		"a score taken back":                   {strings.ReplaceAll(rule, "deny", "pass,setvar:tx.inbound_anomaly_score_pl1=0"), 1, "sets tx.inbound_anomaly_score_pl1=0"},
		"a score lowered":                      {strings.ReplaceAll(rule, "deny", "pass,setvar:'tx.inbound_anomaly_score_pl1=-5'"), 1, "sets tx.inbound"},
		"a score lowered by a macro":           {strings.ReplaceAll(rule, "deny", "pass,setvar:'tx.inbound_anomaly_score_pl1=+%{tx.patch_minus}'"), 1, "sets tx.inbound"},
		"a threshold raised":                   {strings.ReplaceAll(rule, "deny", "pass,setvar:tx.inbound_anomaly_score_threshold=1000"), 1, "sets tx.inbound_anomaly_score_threshold"},
		"the body in the phase before it":      {`SecRule REQUEST_BODY_LENGTH "@eq 0" "id:1000001,phase:1,deny"`, 1, "REQUEST_BODY_LENGTH in phase 1"},
		"a variable taken away":                {strings.ReplaceAll(rule, "deny", "deny,setvar:!tx.patch_x"), 1, "without a value"},
		"a variable without a value":           {strings.ReplaceAll(rule, "deny", "deny,setvar:tx.patch_x"), 1, "without a value"},
		"a variable of any name":               {strings.ReplaceAll(rule, "deny", "pass,setvar:tx.patch_%{MATCHED_VAR}=1"), 1, "sets tx.patch_%"},
		"a status that does not exist":         {strings.ReplaceAll(rule, "deny", "deny,status:600"), 1, "status:600"},
		"a status of success":                  {strings.ReplaceAll(rule, "deny", "deny,status:200"), 1, "status:200"},
		"a tag that the rule set leaves out":   {strings.ReplaceAll(rule, "deny", "deny,tag:OWASP_CRS"), 1, "tag:OWASP_CRS"},
		"what matched, transformed":            {strings.ReplaceAll(rule, "deny", "deny,chain") + "    SecRule MATCHED_VAR \"@rx attack\" \"t:lowercase\"", 2, "transforms MATCHED_VAR"},
		"a part of the request in a log":       {strings.ReplaceAll(rule, "deny", "deny,msg:'%{MATCHED_VAR}'"), 1, "written to logs"},
		"the environment in a variable":        {strings.ReplaceAll(rule, "deny", "pass,setvar:tx.patch_x=%{ENV.HOME}"), 1, "the macro %{ENV.HOME}"},
		"the phase of answers":                 {strings.ReplaceAll(rule, "phase:2", "phase:4"), 1, "for phase 4"},
		"the phase of answers' heads":          {strings.ReplaceAll(rule, "phase:2", "phase:3"), 1, "for phase 3"},
		"the phase of logs":                    {strings.ReplaceAll(rule, "phase:2", "phase:logging"), 1, "for phase 5"},
		"a file looked into":                   {strings.ReplaceAll(rule, "@streq attack", "@inspectFile /bin/true"), 1, "the operator @inspectFile"},
		"words of a file":                      {strings.ReplaceAll(rule, "@streq attack", "@pmFromFile /etc/passwd"), 1, "the operator @pmFromFile"},
		"words of a file, in short":            {strings.ReplaceAll(rule, "@streq attack", "!@pmf x"), 1, "the operator @pmf"},
		"addresses of a file":                  {strings.ReplaceAll(rule, "@streq attack", "@ipMatchFromFile x"), 1, "the operator @ipMatchFromFile"},
		"a name asked of the world":            {strings.ReplaceAll(rule, "@streq attack", "@rbl sbl.example"), 1, "the operator @rbl"},
		"a place looked up":                    {strings.ReplaceAll(rule, "@streq attack", "@geoLookup"), 1, "the operator @geoLookup"},
		"a schema of a file":                   {strings.ReplaceAll(rule, "@streq attack", "@validateSchema x.json"), 1, "the operator @validateSchema"},
		"arguments out of a path":              {strings.ReplaceAll(rule, "@streq attack", "@restpath /a/{b}"), 1, "the operator @restpath"},
		"the environment looked at":            {strings.ReplaceAll(rule, "ARGS:a", "ENV:HOME"), 1, "looks at ENV"},
		"the answer looked at":                 {strings.ReplaceAll(rule, "ARGS:a", "RESPONSE_BODY"), 1, "looks at RESPONSE_BODY"},
		"a file on the disk looked at":         {strings.ReplaceAll(rule, "ARGS:a", "FILES_TMP_CONTENT"), 1, "looks at FILES_TMP_CONTENT"},
		"a refusal within a chain":             {strings.ReplaceAll(rule, "deny", "pass,chain") + `SecRule ARGS "x" "deny"`, 2, "within its chain"},
		"a chain without an end":               {strings.ReplaceAll(rule, "deny", "deny,chain"), 1, "the chain ends"},
		"a quote within a quote":               {strings.ReplaceAll(rule, "deny", `msg:'it\'s',deny`), 1, "quote or a backslash"},
		"a quote without an end":               {strings.ReplaceAll(rule, "deny", `deny,msg:'it`), 1, "does not end"},
		"an expression without an end":         {strings.ReplaceAll(rule, "@streq attack", "@rx (a"), 1, "cannot be read: error parsing regexp"},
		"a transformation nobody knows":        {rule + strings.ReplaceAll(strings.ReplaceAll(rule, "1000001", "1000002"), "deny", "deny,t:rot13"), 2, "the engine does not take this rule"},
		"a line that does not end":             {rule + "SecRule ARGS \"x\" \\\n", 2, "does not end"},
		"a byte that cannot be seen":           {rule + "# \x1b[2K", 2, "cannot be seen"},
		"no rule":                              {"# nothing yet\n", 0, "holds no rule"},
		"a pattern that fills memory":          {rule + `SecRule ARGS:a "@rx ^(?:(?:[a-z]?[0-9]?){10}){0,100}(?:[a-z]?[0-9]?){1000}$" "id:1000002,phase:2,deny"`, 2, "10000 are the most"},
		"a pattern of bytes that fills memory": {rule + `SecRule ARGS:a "@rx \xff(?:a?b?c?d?e?){0,1000}" "id:1000002,phase:2,deny"`, 2, "10000 are the most"},
		"many patterns that fill memory":       {rule + many(2, 12), 12, "the patterns of all patches have more than"},
		"a value doubled again and again":      {strings.ReplaceAll(rule, "deny", "deny,t:hexEncode,t:hexencode"), 1, "t:hexencode 2 times"},
		"a value changed without end":          {strings.ReplaceAll(rule, "deny", "deny"+strings.Repeat(",t:lowercase", 17)), 1, "changes a value 17 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkPatches([]Patch{{File: "waf/x.conf", Text: tc.text}})
			m, ok := errors.AsType[*PatchMistake](err)
			if !ok || m.Line != tc.line || !strings.Contains(err.Error()+m.Why, tc.want) {
				t.Errorf("line %v, want %d with %q: %v", m, tc.line, tc.want, err)
			}
		})
	}
}

// many are rules with large patterns, from the id 1000000+first on.
func many(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "SecRule ARGS:a \"@rx (?:abcdefghi){1000}\" \"id:%d,phase:2,deny\"\n", 1_000_000+first+i)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestAnIDOfOnePatchIsNoneOfAnother(t *testing.T) {
	const rule = `SecRule ARGS:a "@streq attack" "id:1000001,phase:2,deny"`
	err := checkPatches([]Patch{{File: "waf/a.conf", Text: rule}, {File: "waf/b.conf", Text: "\n" + rule}})
	if m, ok := errors.AsType[*PatchMistake](err); !ok || m.Patch != 1 || m.Line != 2 || m.Why != "another rule has it, at waf/a.conf:1" {
		t.Errorf("%v", err)
	}
}

// TestARuleOfAPatchDeniesWithItsStatus however the proof is used, and a 5xx is no
// fault of ours.
func TestARuleOfAPatchDeniesWithItsStatus(t *testing.T) {
	i, err := patching(Patch{
		File: "waf/status.conf",
		Text: `SecRule ARGS:hidden "@streq attack" "id:1000001,phase:2,deny,status:404"
SecRule ARGS:down "@streq attack" "id:1000002,phase:1,deny,status:503"
SecRule ARGS:plain "@streq attack" "id:1000003,phase:2,deny"
SecRule ARGS:away "@streq attack" "id:1000004,phase:2,redirect:https://hotel.test/sorry?a=b"
SecRule ARGS:there "@streq attack" "id:1000005,phase:1,status:307,redirect:/sorry"
SecRule ARGS:gone "@streq attack" "id:1000006,phase:2,drop"
`,
		MustPass: []string{"hidden=no"}, MustBlock: []string{"hidden=attack", "down=attack", "plain=attack", "away=attack", "there=attack", "gone=attack"},
	})
	if err != nil {
		t.Fatal(err)
	}
	to := map[string]string{"away": "https://hotel.test/sorry?a=b", "there": "/sorry"}
	for name, status := range map[string]int{"hidden": 404, "down": 503, "plain": 403, "away": 302, "there": 307, "gone": problem.Unanswered} {
		for _, mode := range []Proof{ProofOn, ProofShadow, ProofOff} {
			asked := as(i, mode, i.proving.prover)
			asked.patchRules = i.patchRules
			tx := request("GET", "/v1/notes?"+name+"=attack", "", "")
			d := through(asked, NewGate(0), tx)
			if d.Kind != pipeline.Deny || d.Problem.Code != problem.WAFDenied || d.Problem.Status() != status || d.Problem.Detail != "" || d.Problem.Header.Get("Location") != to[name] || !tx.WAF.Stopped {
				t.Errorf("%s, proof %s: %v with %v", name, mode, d.Kind, d.Problem)
			}
		}
	}
}
