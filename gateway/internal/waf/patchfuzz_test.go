package waf

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
)

// varied are five rules of patches, each of another kind: in the head, over a
// chain, by a number, by a variable of its own, and one that adds to the score.
func varied() []Patch {
	return []Patch{{
		File: "waf/first.conf",
		Text: `SecRule REQUEST_HEADERS:X-A|REQUEST_COOKIES:c "@rx (?i)^a+ttack$" "id:1000010,phase:1,deny,t:none,t:urlDecodeUni"
SecRule REQUEST_FILENAME "@endsWith /b" "id:1000011,phase:2,deny,capture,chain"
    SecRule ARGS:a|ARGS:json.a "@rx (at+)ack" "t:none,t:lowercase,t:removeNulls,multiMatch"
SecRule &ARGS:b "@ge 2" "id:1000012,phase:2,deny"
`,
		MustPass:  []string{"a=b", "b=1", "GET /a?a=attack"},
		MustBlock: []string{"GET /\nX-A: Attack", "GET /b?a=ATTACK", "b=1&b=2"},
	}, {
		File: "waf/second.conf",
		Text: `SecRule ARGS_NAMES|REQUEST_COOKIES_NAMES "@within debug trace" "id:1000020,phase:1,pass,nolog,setvar:tx.patch_debug=1"
SecRule TX:patch_debug "@eq 1" "id:1000021,phase:2,deny,msg:'debugging',chain"
    SecRule ARGS|!ARGS:a "@pm on yes" "t:none,t:lowercase"
SecRule QUERY_STRING|REQUEST_BODY "@contains ;b;" "id:1000022,phase:2,pass,setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
		MustPass:  []string{"debug=1", "x=on"},
		MustBlock: []string{"debug=ON", "POST /\n\nx=;b;"},
	}}
}

// TestRequestsNearPatchesFindNoWrongClean asks the engine about every request
// that is said to be clean.
func TestRequestsNearPatchesFindNoWrongClean(t *testing.T) {
	t.Parallel()
	i, err := patching(varied()...)
	if err != nil {
		t.Fatal(err)
	}
	if u := i.Unprovable(); len(u) > 0 {
		t.Errorf("not provable: %+v", u)
	}
	clean, unsure := differ(t, i, rand.New(rand.NewPCG(1, 2)), patchRounds)
	t.Logf("%d clean, each asked of the engine; %d unsure", clean, unsure)
	if clean < patchRounds/10 {
		t.Error("the test is broken, or the proof useless")
	}
}

// TestRandomPatchesFindNoWrongClean does so for rules of which each was put
// together at random, without the Core Rule Set, which would hide them.
// PROOF_SEED leads it to other rules.
func TestRandomPatchesFindNoWrongClean(t *testing.T) {
	t.Parallel()
	first, _ := strconv.ParseUint(os.Getenv("PROOF_SEED"), 10, 64)
	clean, unsure := 0, 0
	for seed := first; seed < first+patchSets; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 7))
		var text strings.Builder
		for n := range 5 {
			text.WriteString(randomRule(rnd, firstPatch+n))
		}
		text.WriteString("SecMarker PATCH-END\n")
		patch := Patch{File: "waf/random.conf", Text: text.String()}
		if err := checkPatches([]Patch{patch}); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, patch.Text)
		}
		c, u := differ(t, alone(t, patch), rnd, 200)
		clean, unsure = clean+c, unsure+u
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, patch.Text)
		}
	}
	t.Logf("%d clean, each asked of the engine; %d unsure", clean, unsure)
	if clean < (clean+unsure)/10 {
		t.Error("the test is broken, or the proof useless")
	}
}

// alone is an inspector with the rules of a patch and no others.
func alone(t *testing.T, patch Patch) *Inspector {
	t.Helper()
	registerApart()
	profile, err := Profile{Name: "alone"}.complete()
	if err != nil {
		t.Fatal(err)
	}
	patches := []Patch{patch}
	// What adds to the score counts because a rule behind it reads that.
	text := profile.directives("SecAction \"id:901200,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_pl1=0\"\nInclude " + patch.File +
		"\nSecRule TX:inbound_anomaly_score_pl1 \"@ge 5\" \"id:949110,phase:2,deny\"\n")
	engine, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(files(patches)).WithDirectives(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, patch.Text)
	}
	t.Cleanup(func() { _ = engine.(experimental.WAFCloser).Close() })
	i := &Inspector{profile: profile, patches: patches, engine: engine, directives: text, log: slog.New(slog.DiscardHandler)}
	if i.patchRules, err = patchRules(patches); err != nil {
		t.Fatal(err)
	}
	i.proving = proving{mode: ProofOn, program: compile(text, files(patches), nil, nil)}
	i.proving.record = new(record)
	return i
}

// differ asks both sides about random requests.
func differ(t *testing.T, i *Inspector, rnd *rand.Rand, rounds int) (clean, unsure int) {
	t.Helper()
	for range rounds {
		r, body := randomRequest(rnd)
		s, err := i.own(r, body)
		if err != nil {
			continue // refused before either side sees it
		}
		v := i.said(t.Context(), s)
		if !v.Clean {
			unsure++
			continue
		}
		clean++
		found, err := i.inspect(t.Context(), s, math.MaxInt32)
		if what := effect(found, err); what != "" || err != nil {
			t.Errorf("proved clean, and the engine %s (%v): %v %v %q body %q, rules %v", what, err, r.Method, r.URL, r.Header, body, found.Rules)
			return clean, unsure
		}
	}
	return clean, unsure
}

func pick(rnd *rand.Rand, from ...string) string { return from[rnd.IntN(len(from))] }

// words are what requests of the test hold: near what its rules look for.
var words = []string{
	"a", "b", "attack", "Attack", "aattack", "ATTACK", "%61ttack", "a%74tack", "at\x00tack", "&#97;ttack", "YXR0YWNr", "61747461636b", "or", " or ", "on", "YES", "debug", "trace",
	"1' or '1'='1", "<script>x", "456-12-7890", "../b", "/b", ";b;", "10", "5", "0", "1", "", "  a  b ", "a/**/b", "é", "ſ", "\u212a", "\\u0061", "\xff", "x=1&b=2", "hello, world",
}

func randomRequest(rnd *rand.Rand) (*http.Request, string) {
	word := func() string {
		w := words[rnd.IntN(len(words))]
		if rnd.IntN(4) == 0 {
			w += words[rnd.IntN(len(words))]
		}
		return w
	}
	name := func() string { return pick(rnd, "a", "A", "b", "c", "q", "debug", "json.a", word()) }
	pairs := func() string {
		var all []string
		for range rnd.IntN(4) {
			all = append(all, url.QueryEscape(name())+"="+url.QueryEscape(word()))
		}
		return strings.Join(all, "&")
	}
	field := func(text string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == ';' {
				return -1
			}
			return r
		}, text))
	}
	media, body := "", ""
	switch rnd.IntN(4) {
	case 0:
		media, body = formMedia, pairs()
	case 1:
		media, body = jsonMedia, fmt.Sprintf(`{%q: %s, "b": [%q, 1, null], "n": %d}`, field(name()), pick(rnd, "true", "12", `"attack"`, `"\u0061ttack"`, `{"a": "attack"}`), field(word()), rnd.IntN(20))
	}
	r := probeRequest(pairs(), media, body)
	r.URL.Path = pick(rnd, "/", "/a", "/b", "/a/b", "/a/./b", "/attack", "/%61ttack/b")
	if rnd.IntN(3) == 0 {
		r.Header["X-A"] = []string{field(word())}
	}
	if rnd.IntN(3) == 0 {
		r.Header["Cookie"] = []string{"c=" + field(word()) + "; " + field(name()) + "=1"}
	}
	return r, body
}

// randomRule puts a rule together of what a patch may say.
func randomRule(rnd *rand.Rand, id int) string {
	var b strings.Builder
	links := 1 + rnd.IntN(3)*rnd.IntN(2)
	for n := range links {
		variables := pick(rnd, "ARGS", "ARGS:a", "ARGS:json.a", "ARGS_NAMES", "ARGS_GET", "ARGS_POST:b", "ARGS|!ARGS:a", "ARGS:/^a/", "ARGS|!ARGS:/A/", "REQUEST_HEADERS:X-A", "REQUEST_HEADERS",
			"REQUEST_HEADERS_NAMES", "REQUEST_COOKIES", "REQUEST_COOKIES:c", "REQUEST_COOKIES_NAMES|ARGS_GET_NAMES", "REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_FILENAME", "REQUEST_BASENAME",
			"QUERY_STRING", "REQUEST_METHOD", "REQUEST_LINE", "REQUEST_BODY", "REQUEST_BODY_LENGTH", "REQBODY_PROCESSOR", "REMOTE_ADDR", "TX:patch_x", "TX:inbound_anomaly_score_pl1", "SERVER_NAME", "ARGS_COMBINED_SIZE")
		operator := pick(rnd, "@rx ^a+t", "@rx (?i)attack", `@rx \bor\b`, "@rx [^a-z]", "@rx (a)(t+)?.*k$", "attack", "!@rx ^[a-z]*$", "@contains attack", "@contains a", "@streq attack", "!@streq a", "@beginsWith a", "@endsWith b",
			"@within debug trace a", "!@within a b c", "@pm attack debug script", "@eq 1", "@ge 5", "@gt 0", "@lt 3", "!@eq 0", "@validateByteRange 32-126", "@detectSQLi", "@detectXSS", "@ipMatch ::1",
			"@validateUrlEncoding", "@validateUtf8Encoding", "@unconditionalMatch", "@noMatch", "@validateNid us [0-9-]{9,11}", "@strmatch ttac", "@streq %{tx.patch_x}", "@contains %{request_headers.x-a}")
		counted := false
		switch rnd.IntN(12) {
		case 0:
			variables, counted = pick(rnd, "&ARGS", "&ARGS:a", "&REQUEST_HEADERS:X-A", "&REQUEST_COOKIES"), true
		case 1:
			if n > 0 {
				variables = pick(rnd, "MATCHED_VAR", "MATCHED_VARS", "TX:1", "TX:0", "MATCHED_VARS_NAMES")
			}
		}
		if counted {
			operator = pick(rnd, "@eq 1", "@ge 2", "@eq 0", "!@eq 0", "@lt 2")
		}
		var actions []string
		if n == 0 {
			actions = append(actions, fmt.Sprintf("id:%d", id), pick(rnd, "phase:1", "phase:2", "phase:2"))
			actions = append(actions, strings.Split(pick(rnd, "deny", "deny", "deny,status:400", "pass,log", "pass,nolog", "pass,nolog,skipAfter:PATCH-END", "block", "deny,nolog"), ",")...)
		}
		for range rnd.IntN(4) {
			if strings.HasPrefix(variables, "MATCHED_VAR") {
				break // what matched is not transformed
			}
			t := "t:" + pick(rnd, "none", "lowercase", "urlDecodeUni", "urlDecode", "htmlEntityDecode", "removeNulls", "compressWhitespace", "length", "base64Decode", "hexDecode", "normalizePath",
				"cmdLine", "jsDecode", "trim", "replaceComments", "utf8toUnicode", "removeWhitespace", "sha1", "hexEncode", "uppercase", "cssDecode", "escapeSeqDecode")
			if !slices.Contains(actions, t) { // one that lengthens may stand once
				actions = append(actions, t)
			}
		}
		for _, more := range []string{"capture", "multiMatch", "setvar:tx.patch_x=1", "setvar:'tx.patch_x=%{MATCHED_VAR}'", "setvar:tx.patch_x=+1", "setvar:tx.inbound_anomaly_score_pl1=+5"} {
			if rnd.IntN(9) == 0 {
				actions = append(actions, more)
			}
		}
		if n < links-1 {
			actions = append(actions, "chain")
		}
		if len(actions) == 0 {
			actions = []string{"t:none"}
		}
		fmt.Fprintf(&b, "SecRule %s \"%s\" \"%s\"\n", variables, operator, strings.Join(actions, ","))
	}
	if slices.ContainsFunc(bodyVariables, func(v string) bool { return strings.Contains(b.String(), v) }) {
		return strings.ReplaceAll(b.String(), "phase:1", "phase:2")
	}
	return b.String()
}
