package waf

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/waf/seclang"
)

// checkPatches reads patches and refuses what they may not say. What is not
// known to be harmless is refused: the engine's language can switch the engine
// off, read files and ask other machines.
func checkPatches(patches []Patch) error {
	var wrong []error
	ids, steps := map[int]seclang.Place{}, 0
	for n, p := range patches {
		c := patchCheck{patch: n, text: p.Text, steps: &steps}
		c.run(p, ids)
		wrong = append(wrong, c.wrong...)
	}
	return errors.Join(wrong...)
}

// patchCheck is the check of one patch.
type patchCheck struct {
	patch int
	text  string
	steps *int // of the patterns of all patches so far
	wrong []error
}

func (c *patchCheck) refuse(at seclang.Place, what, why, mend string) {
	c.wrong = append(c.wrong, &PatchMistake{Patch: c.patch, MustPass: -1, MustBlock: -1, Line: at.Line, What: what, Why: why, Mend: mend})
}

func (c *patchCheck) run(p Patch, ids map[int]seclang.Place) {
	fragment, err := seclang.Fragment(p.File, p.Text)
	for _, s := range fragment.Settings {
		c.directive(s)
	}
	if m, ok := errors.AsType[*seclang.Mistake](err); ok {
		c.refuse(m.Place, "this cannot be read: "+m.Err.Error(), "", "write a rule as SecRule VARIABLES \"@operator argument\" \"id:1000000,phase:2,deny,msg:'why'\"")
		return
	}
	rules := 0
	for i, r := range fragment.Rules {
		switch {
		case r.Marker != "":
			c.marker(r)
		default:
			rules++
			c.rule(r, fragment.Rules[i+1:], ids)
		}
	}
	if rules == 0 && len(c.wrong) == 0 {
		c.refuse(seclang.Place{}, fmt.Sprintf("%s holds no rule", p.File), "", "write one, or take the patch out")
	}
	if len(c.wrong) == 0 {
		c.engine(p, fragment.Rules)
	}
}

// instead says what is meant to be used in place of a directive.
var instead = map[string]string{
	"secruleengine":            "write mode: shadow for the profile, or leave the patch out",
	"secrequestbodyaccess":     "bodies are always inspected; bound them by inspect of the profile",
	"secrequestbodylimit":      "write inspect.body for the profile",
	"secargumentslimit":        "write inspect.args for the profile",
	"secruleremovebyid":        "write an exclusion for the argument that the rule should not look at",
	"secruleremovebytag":       "write an exclusion for the argument that the rules should not look at",
	"secruleremovebymsg":       "write an exclusion for the argument that the rules should not look at",
	"secruleupdatetargetbyid":  "write an exclusion for the argument that the rule should not look at",
	"secruleupdatetargetbytag": "write an exclusion for the argument that the rules should not look at",
	"include":                  "name the other file as a patch of its own",
	"secdefaultaction":         "write in each rule what it does",
	"secdataset":               "write the words into the rule: @pm one two three",
}

func (c *patchCheck) directive(s seclang.Setting) {
	mend := instead[s.Name]
	if mend == "" {
		mend = "take it out"
	}
	c.refuse(s.Place, fmt.Sprintf("the directive %q does not belong in a patch", c.written(s)), "a patch adds rules and changes nothing else: SecRule, SecAction and SecMarker", mend)
}

// written is the name of a directive as it stands in its line.
func (c *patchCheck) written(s seclang.Setting) string {
	lines := strings.Split(c.text, "\n")
	if s.Line <= len(lines) {
		if fields := strings.Fields(lines[s.Line-1]); len(fields) > 0 && strings.EqualFold(fields[0], s.Name) {
			return fields[0]
		}
	}
	return s.Name
}

// ownMarker begins the names of markers, so that none is one of the Core Rule
// Set's: a rule of these that skips to it would land among ours.
const ownMarker = "PATCH-"

func (c *patchCheck) marker(r *seclang.Rule) {
	if !strings.HasPrefix(r.Marker, ownMarker) {
		c.refuse(r.Place, fmt.Sprintf("the marker %q could be another's", r.Marker), "a rule of the Core Rule Set that skips to it would go on here", "let its name begin with "+ownMarker)
	}
}

// rule checks a rule and its chain. after are those behind it in its file.
func (c *patchCheck) rule(r *seclang.Rule, after []*seclang.Rule, ids map[int]seclang.Place) {
	first, twice := ids[r.ID]
	switch {
	case r.ID == 0:
		c.refuse(r.Place, "the rule has no id", "events, tests and metrics call it by that", fmt.Sprintf("give it one from %d to %d", firstPatch, lastPatch))
	case r.ID < firstPatch || r.ID > lastPatch:
		c.refuse(r.Place, fmt.Sprintf("the id %d is not one of a patch", r.ID), "the Core Rule Set and the gateway have the others", fmt.Sprintf("take one from %d to %d", firstPatch, lastPatch))
	case twice:
		c.refuse(r.Place, fmt.Sprintf("the id %d is taken", r.ID), fmt.Sprintf("another rule has it, at %v", first), "take another")
	}
	ids[r.ID] = r.Place
	if r.Phase > 2 {
		c.refuse(r.Place, fmt.Sprintf("rule %d is for phase %d", r.ID, r.Phase), "patches look at requests, which are phases 1 and 2; the answers' phases are not asked", "write phase:1 for the head, phase:2 for the whole request")
	}
	for n, link := range r.Links() {
		if link.Operator != nil {
			c.operator(r, link)
			c.targets(r, link)
			c.stale(r, link)
		}
		c.transformations(r, link)
		for _, a := range link.Actions {
			c.action(r, link, a, n > 0, after)
		}
	}
}

// stale refuses to transform what matched before: the engine remembers what a rule
// made of it, and gives that to the next, of which another value has matched.
func (c *patchCheck) stale(r, link *seclang.Rule) {
	for _, t := range link.Targets {
		if strings.HasPrefix(t.Variable, "MATCHED_VAR") && len(link.Transformations) > 0 {
			c.refuse(link.Place, fmt.Sprintf("rule %d transforms %s", r.ID, t.Variable), "the engine would take what another rule made of it before", "write t:none, and let the pattern take both, as (?i) does")
		}
	}
}

// patchOperators are those that look at a value and nothing else. The others read
// files, ask other machines, or fill variables that later rules look at.
var patchOperators = []string{
	"beginsWith", "contains", "detectSQLi", "detectXSS", "endsWith", "eq", "ge", "gt", "ipMatch", "le", "lt", "noMatch", "pm", "rx", "streq", "strmatch",
	"unconditionalMatch", "validateByteRange", "validateNid", "validateUrlEncoding", "validateUtf8Encoding", "within",
}

func (c *patchCheck) operator(r, link *seclang.Rule) {
	o := link.Operator
	if !slices.Contains(patchOperators, o.Name) {
		c.refuse(link.Place, fmt.Sprintf("rule %d has the operator @%s", r.ID, o.Name), "a patch compares values, and reads no files, asks nobody and fills no variables",
			"take one of @"+strings.Join(patchOperators, ", @"))
	}
	if o.Name == "rx" {
		c.pattern(r, link, o.Argument)
	}
	if o.Name != "rx" && o.Name != "pm" {
		c.macros(r, link, o.Argument)
	}
}

// patchVariables are those that a request fills, and what rules leave behind.
var patchVariables = []string{
	"ARGS", "ARGS_COMBINED_SIZE", "ARGS_GET", "ARGS_GET_NAMES", "ARGS_NAMES", "ARGS_POST", "ARGS_POST_NAMES", "FILES", "FILES_COMBINED_SIZE", "FILES_NAMES", "FILES_SIZES",
	"MATCHED_VAR", "MATCHED_VARS", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME", "MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS",
	"QUERY_STRING", "REMOTE_ADDR", "REQBODY_PROCESSOR", "REQUEST_BASENAME", "REQUEST_BODY", "REQUEST_BODY_LENGTH", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES",
	"REQUEST_FILENAME", "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES", "REQUEST_LINE", "REQUEST_METHOD", "REQUEST_PROTOCOL", "REQUEST_URI", "REQUEST_URI_RAW",
	"SERVER_NAME", "TX", "XML",
}

func (c *patchCheck) targets(r, link *seclang.Rule) {
	for _, t := range link.Targets {
		if !slices.Contains(patchVariables, t.Variable) {
			c.refuse(link.Place, fmt.Sprintf("rule %d looks at %s", r.ID, t.Variable), "a patch looks at requests, and at nothing of the process, its files or the answers", "take one of "+strings.Join(patchVariables, ", "))
		} else if r.Phase == 1 && !t.Except && slices.Contains(bodyVariables, t.Variable) {
			c.refuse(link.Place, fmt.Sprintf("rule %d looks at %s in phase 1", r.ID, t.Variable), "that is before the body is read, so that it is empty", "write phase:2")
		}
	}
}

// bodyVariables are those that only a body fills.
var bodyVariables = []string{
	"ARGS_POST", "ARGS_POST_NAMES", "FILES", "FILES_COMBINED_SIZE", "FILES_NAMES", "FILES_SIZES", "MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS",
	"REQUEST_BODY", "REQUEST_BODY_LENGTH", "XML",
}

// patchTexts are the actions whose value people read.
var patchTexts = []string{"msg", "logdata", "tag"}

// patchActions are those that tell of a rule, change what it compares, or refuse.
var patchActions = slices.Concat(patchTexts, []string{"accuracy", "auditlog", "block", "capture", "chain", "deny", "drop", "id", "log", "maturity", "multimatch", "noauditlog", "nolog",
	"pass", "phase", "redirect", "rev", "setvar", "severity", "skipafter", "status", "t", "ver"})

// whyNot tells of actions that someone may look for.
var whyNot = map[string][2]string{
	"ctl":   {"it switches the engine, its rules or what they see", "write an exclusion for what a rule should not look at"},
	"allow": {"the rules behind it would not be asked", "leave it out: a request that no rule refuses passes"},
	"skip":  {"it counts rules, which are others after each edit", "write skipAfter:" + ownMarker + "NAME and SecMarker " + ownMarker + "NAME"},
}

func (c *patchCheck) action(r, link *seclang.Rule, a seclang.Action, chained bool, after []*seclang.Rule) {
	what := fmt.Sprintf("rule %d has the action %s", r.ID, a.Name)
	if !slices.Contains(patchActions, a.Name) {
		why := whyNot[a.Name]
		if why[0] == "" {
			why = [2]string{"it reaches out of the request", "take it out"}
		}
		c.refuse(link.Place, what, why[0], why[1])
		return
	}
	if strings.ContainsAny(a.Value, `'"\`) {
		c.refuse(link.Place, fmt.Sprintf("%s with a quote or a backslash: %s", what, a.Value), "where the next action begins could be read in two ways", "leave it out")
		return
	}
	switch {
	case a.Name == "setvar":
		c.assignment(r, link, a.Value)
	case slices.Contains(patchTexts, a.Name) && strings.Contains(a.Value, "%{"):
		c.refuse(link.Place, fmt.Sprintf("%s with %s", what, a.Value), "it is written to logs, which hold no part of a request", "leave the macro out; events name the part that matched")
	case a.Name == "tag" && (strings.HasPrefix(a.Value, "OWASP_CRS") || strings.HasPrefix(a.Value, "paranoia-level/") || a.Value == "xss-perf-disable"):
		c.refuse(link.Place, fmt.Sprintf("%s:%s", what, a.Value), "the Core Rule Set leaves out rules with it", "take another, such as tag:patch")
	case a.Name == "redirect" && !redirectsTo(a.Value):
		c.refuse(link.Place, fmt.Sprintf("%s to %s", what, a.Value), "whoever attacks must have no part in where callers are sent, and no other scheme is followed", "write a path, or https://host/path, in printable ASCII and without %{...}")
	case a.Name == "status" && r.Has("redirect"):
		if !slices.Contains([]string{"301", "302", "303", "307"}, a.Value) {
			c.refuse(link.Place, fmt.Sprintf("%s:%s", what, a.Value), "a redirect has 301, 302, 303 or 307", "leave it out; the answer is 302")
		}
	case a.Name == "status" && r.Has("drop"):
		c.refuse(link.Place, fmt.Sprintf("%s:%s", what, a.Value), "what is dropped gets no answer", "leave it out, or write deny for drop")
	case a.Name == "status":
		if n, err := strconv.Atoi(a.Value); err != nil || n < 400 || n > 599 || len(a.Value) != 3 {
			c.refuse(link.Place, fmt.Sprintf("%s:%s", what, a.Value), "a refusal is answered with 400 to 599", "leave it out; the answer is 403")
		}
	case a.Name == "skipafter" && !slices.ContainsFunc(after, func(m *seclang.Rule) bool { return m.Marker == a.Value && a.Value != "" }):
		c.refuse(link.Place, fmt.Sprintf("rule %d skips to %q", r.ID, a.Value), "no such marker is behind it in its file: what follows would be skipped, and the Core Rule Set with it", "write SecMarker "+ownMarker+"NAME below it")
	}
	if chained && slices.Contains([]string{"deny", "drop", "id", "phase", "redirect", "skipafter", "status"}, a.Name) {
		c.refuse(link.Place, what+" within its chain", "the first rule of a chain says it for all", "move it to the first")
	}
}

// redirectsTo tells whether a text is one place only: no macro, no line end, no
// host in disguise ("//host", "/\\host", "https://us@host").
func redirectsTo(to string) bool {
	if strings.Contains(to, "%{") || strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return false
	}
	u, err := url.Parse(to)
	if err != nil || u.User != nil {
		return false
	}
	if u.Scheme == "" {
		return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// ownVariable is an assignment that no rule of the Core Rule Set can see, and
// addsToScore one that makes a request more suspicious.
var (
	ownVariable = regexp.MustCompile(`(?i)^tx\.patch_[a-z0-9_]+=`)
	addsToScore = regexp.MustCompile(`(?i)^tx\.inbound_anomaly_score_pl[1-4]=\+([0-9]{1,4}|%\{tx\.(critical|error|warning|notice)_anomaly_score\})$`)
)

// scores tells whether an assignment adds to the score of a request.
func scores(assignment string) bool { return addsToScore.MatchString(assignment) }

func (c *patchCheck) assignment(r, link *seclang.Rule, text string) {
	if strings.HasPrefix(text, "!") || !strings.Contains(text, "=") {
		c.refuse(link.Place, fmt.Sprintf("rule %d has setvar:%s without a value", r.ID, text), "the engine fails on it, and the request with it", "write tx.patch_NAME=0, and compare with that")
		return
	}
	if !ownVariable.MatchString(text) && !scores(text) {
		c.refuse(link.Place, fmt.Sprintf("rule %d sets %s", r.ID, text), "rules of the Core Rule Set are set up by such variables",
			"name it tx.patch_NAME, or add to the score: setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'")
	}
	c.macros(r, link, text)
}

// macro is a variable within a text.
var macro = regexp.MustCompile(`%\{[^}]*\}?`)

func (c *patchCheck) macros(r, link *seclang.Rule, text string) {
	for _, m := range macro.FindAllString(text, -1) {
		name, _, _ := strings.Cut(strings.Trim(m, "%{}"), ".")
		if !slices.Contains([]string{"TX", "MATCHED_VAR", "MATCHED_VAR_NAME", "REQUEST_HEADERS"}, strings.ToUpper(name)) {
			c.refuse(link.Place, fmt.Sprintf("rule %d has the macro %s", r.ID, m), "", "take TX.NAME, MATCHED_VAR, MATCHED_VAR_NAME or REQUEST_HEADERS.NAME")
		}
	}
}

// engine has the engine load the file alone, and holds what it made of it against
// what was checked.
func (c *patchCheck) engine(p Patch, rules []*seclang.Rule) {
	var loaded []types.RuleMetadata
	config := coraza.NewWAFConfig().WithRootFS(patched{texts: map[string]string{p.File: p.Text}, FS: files(nil)}).WithDirectives("Include " + p.File)
	waf, err := coraza.NewWAF(experimental.WAFConfigWithRuleObserver(config, func(r types.RuleMetadata) { loaded = append(loaded, r) }))
	if err != nil {
		at := seclang.Place{}
		if len(loaded) < len(rules) {
			at = rules[len(loaded)].Place
		}
		c.refuse(at, fmt.Sprintf("the engine does not take this rule: %v", theMistake(err)), "", "mend what it names")
		return
	}
	if closer, ok := waf.(experimental.WAFCloser); ok {
		_ = closer.Close() // it only ever returns nil
	}
	same := len(loaded) == len(rules)
	for n := 0; same && n < len(rules); n++ {
		r, l := rules[n], loaded[n]
		var tags []string
		for _, a := range r.Actions {
			if a.Name == "tag" {
				tags = append(tags, a.Value)
			}
		}
		same = r.ID == l.ID() && r.Phase == int(l.Phase()) && r.Marker == l.SecMark() && slices.Equal(tags, l.Tags())
		if !same {
			c.refuse(r.Place, "the engine reads this rule in another way than it was checked", "", "write it plainly: one action after the other, each quote closed")
		}
	}
	if !same && len(c.wrong) == 0 {
		c.refuse(seclang.Place{}, fmt.Sprintf("the engine reads %d rules in %s, and %d were checked", len(loaded), p.File, len(rules)), "", "write each rule plainly, and leave out what is not a rule")
	}
}

// theMistake leaves out how the engine came to a mistake.
func theMistake(err error) string {
	return strings.TrimPrefix(err.Error(), "invalid WAF config from string: failed to parse string: ")
}
