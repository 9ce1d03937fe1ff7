package proof

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

const mostAnswer = 128 << 10

// withAnswers is a policy that looks at answers.
func withAnswers(paranoia int) string {
	return strings.Replace(directives(paranoia, leftOut), "SecResponseBodyAccess Off",
		fmt.Sprintf("SecResponseBodyAccess On\nSecResponseBodyMimeType text/html application/json\nSecResponseBodyLimit %d\nSecResponseBodyLimitAction Reject", mostAnswer+1), 1)
}

// both are the two sides of a policy that looks at answers.
type both struct {
	*Program
	coraza.WAF
}

func answering(t testing.TB, paranoia int) both {
	t.Helper()
	b, err := sharedAnswering[paranoia]()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var sharedAnswering = [5]func() (both, error){
	1: sync.OnceValues(func() (both, error) { return newBoth(withAnswers(1)) }),
	4: sync.OnceValues(func() (both, error) { return newBoth(withAnswers(4)) }),
}

// sharedTables are what every policy is compiled with. To read them from the engine
// takes longer than to compile a small one.
var sharedTables = sync.OnceValues(transform.New)

func newBoth(text string) (b both, err error) {
	policy, err := seclang.Parse(crs.FS, text)
	if err != nil {
		return b, err
	}
	tables, err := sharedTables()
	if err != nil {
		return b, err
	}
	fixed, err := engineFixed()
	if err != nil {
		return b, err
	}
	if b.Program, err = newCompiler(crs.FS, policy, tables, fixed, match.NewBudget(DefaultMemory)).compile(); err != nil {
		return b, err
	}
	b.WAF, err = coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(crs.FS).WithDirectives(text))
	return b, err
}

// reply is what both sides are given.
type reply struct {
	collect.Answer
	body string
}

func (r reply) String() string { return fmt.Sprintf("%d %q %.600q", r.Status, r.Fields, r.body) }

func html(status int, body string) *reply {
	return &reply{collect.Answer{Status: status, Proto: "HTTP/1.1", Media: "text/html", Fields: []collect.Field{
		{Name: "Content-Type", Value: "text/html"}, {Name: "Cache-Control", Value: "no-store"}, {Name: "X-Content-Type-Options", Value: "nosniff"},
	}}, body}
}

// leaks is what the engine made of an answer to a request: empty when it had no
// effect.
func leaks(t testing.TB, w coraza.WAF, q *request, r *reply) string {
	t.Helper()
	tx := w.NewTransaction()
	defer func() { _ = tx.Close() }()
	if stopped := begun(tx, q); stopped != nil {
		t.Fatalf("the request is stopped by %d", stopped.RuleID)
	}
	if stopped, err := tx.ProcessRequestBody(); stopped != nil || err != nil {
		t.Fatal(stopped, err)
	}
	for _, f := range r.Fields {
		tx.AddResponseHeader(f.Name, f.Value)
	}
	stopped := tx.ProcessResponseHeaders(r.Status, r.Proto)
	if stopped == nil {
		if !tx.IsResponseBodyAccessible() || !tx.IsResponseBodyProcessable() {
			t.Fatal("the engine does not look at the answer")
		}
		if _, n, err := tx.WriteResponseBody([]byte(r.body)); err != nil || n != len(r.body) {
			t.Fatalf("%d of %d bytes, %v", n, len(r.body), err)
		}
		var err error
		if stopped, err = tx.ProcessResponseBody(); err != nil {
			t.Fatal(err)
		}
	}
	return told(tx, stopped, "outbound", func(m types.MatchedRule) bool { return logged(m) || m.Rule().ID() >= 950_000 && m.Message() != "" })
}

// said is the verdict on an answer to an ordinary request, and what the engine
// made of it.
func (b both) said(t testing.TB, r *reply) (Verdict, string) {
	t.Helper()
	q := get("/api/v1/orders/12345")
	if v := b.asked(q); !v.Clean {
		t.Fatalf("the request is not clean: %+v", v)
	}
	return b.Answer(&r.Answer, r.body), leaks(t, b.WAF, q, r)
}

// suiteAnswers are the answers of the Core Rule Set's own tests.
func suiteAnswers(t testing.TB) (all []string) {
	t.Helper()
	for _, r := range suite(t) {
		if !strings.HasPrefix(r.name, "95") || r.body == "" {
			continue
		}
		var reflected struct{ Body string }
		if json.Unmarshal([]byte(r.body), &reflected) == nil && reflected.Body != "" {
			all = append(all, reflected.Body)
		} else {
			all = append(all, r.body)
		}
	}
	if len(all) < 70 {
		t.Fatalf("only %d answers: this test looks in the wrong place", len(all))
	}
	return all
}

// leakTexts are what the rules for answers look for: the lines of their files, and
// texts that their expressions match.
func leakTexts(t testing.TB, text string) (all []string) {
	t.Helper()
	policy, err := seclang.Parse(crs.FS, text)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, r := range policy.Rules {
		for _, link := range r.Links() {
			if o := link.Operator; o == nil || r.Phase < 3 {
				continue
			} else if o.Name == "pmFromFile" {
				file, err := fs.ReadFile(crs.FS, "@owasp_crs/"+o.Argument)
				if err != nil {
					t.Fatal(err)
				}
				for lines := bufio.NewScanner(strings.NewReader(string(file))); lines.Scan(); {
					all = append(all, lines.Text())
				}
			} else if o.Name == "rx" {
				if e, err := syntax.Parse(o.Argument, syntax.Perl); err == nil {
					for range 40 {
						all = append(all, matching(e, rnd))
					}
				}
			} else {
				all = append(all, o.Argument)
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.TrimSpace(s) == "" })
	if len(all) < 1000 {
		t.Fatalf("only %d texts: this test looks in the wrong place", len(all))
	}
	return all
}

// matching is a text that an expression mostly matches.
func matching(e *syntax.Regexp, rnd *rand.Rand) string {
	var b strings.Builder
	times := func(least, most int) {
		for range least + rnd.IntN(most-least+1) {
			b.WriteString(matching(e.Sub[0], rnd))
		}
	}
	switch e.Op {
	case syntax.OpLiteral:
		b.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		at := rnd.IntN(len(e.Rune)/2) * 2
		b.WriteRune(e.Rune[at] + rnd.Int32N(min(e.Rune[at+1]-e.Rune[at]+1, 40)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune('a' + rnd.Int32N(26))
	case syntax.OpCapture:
		times(1, 1)
	case syntax.OpStar:
		times(0, 3)
	case syntax.OpPlus:
		times(1, 3)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpRepeat:
		times(e.Min, max(e.Min, min(e.Max, e.Min+3)))
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			b.WriteString(matching(sub, rnd))
		}
	case syntax.OpAlternate:
		b.WriteString(matching(e.Sub[rnd.IntN(len(e.Sub))], rnd))
	}
	return b.String()
}

// TestTheSuiteFindsNoWrongCleanAnswer: whatever of the answers in the Core Rule
// Set's own tests is said to be clean has no effect in the engine.
func TestTheSuiteFindsNoWrongCleanAnswer(t *testing.T) {
	t.Parallel()
	for _, paranoia := range answerParanoia {
		t.Run(fmt.Sprint("paranoia ", paranoia), func(t *testing.T) {
			t.Parallel()
			b := answering(t, paranoia)
			if u := b.Unprovable(); len(u) > 0 {
				t.Errorf("not provable: %v", u)
			}
			t.Logf("%+v", b.answer.Stats())
			clean, unsure, effect := 0, 0, 0
			for n, body := range suiteAnswers(t) {
				for _, status := range []int{200, 404, 500}[:1+n%3/2*2] { // a third of them with every status
					r := html(status, body)
					v, found := b.said(t, r)
					switch {
					case v.Clean && found != "":
						t.Errorf("said to be clean, the engine: %s\n%v", found, r)
					case v.Clean:
						clean++
					case found == "":
						unsure++
						t.Logf("unsure by %d %s: %v", v.Rule, v.Why, r)
					default:
						effect++
					}
				}
			}
			t.Logf("%d clean, %d with an effect, %d unsure without one", clean, effect, unsure)
			if clean == 0 || effect < 50 {
				t.Error("this test shows nothing")
			}
		})
	}
}

// TestNoRandomAnswerIsWronglyClean: texts near what the rules look for, alone and
// within pages, with the fields and statuses that they may have.
func TestNoRandomAnswerIsWronglyClean(t *testing.T) {
	t.Parallel()
	q := get("/api/v1/orders/12345")
	for _, paranoia := range answerParanoia {
		t.Run(fmt.Sprint("paranoia ", paranoia), func(t *testing.T) {
			t.Parallel()
			b := answering(t, paranoia)
			if v := b.asked(q); !v.Clean {
				t.Fatalf("the request is not clean: %+v", v)
			}
			rnd := rand.New(rand.NewPCG(uint64(paranoia), 13))
			texts := append(append(suiteAnswers(t), leakTexts(t, withAnswers(paranoia))...), ordinary...)
			clean, unsure, effect := 0, 0, 0
			for range answerRounds {
				r := html([]int{200, 200, 200, 404, 500}[rnd.IntN(5)], randomAnswer(rnd, texts))
				if rnd.IntN(4) == 0 {
					r.Fields = append(r.Fields, collect.Field{Name: []string{"X-Powered-By", "Content-Encoding", "Location", "X-Note"}[rnd.IntN(4)], Value: inLine(near(texts[rnd.IntN(len(texts))], rnd, texts))})
				}
				v := b.Answer(&r.Answer, r.body)
				if !v.Clean && rnd.IntN(8) > 0 {
					continue // the engine is asked anyway
				}
				found := leaks(t, b.WAF, q, r)
				switch {
				case v.Clean && found != "":
					t.Fatalf("said to be clean, the engine: %s\n%v", found, r)
				case v.Clean:
					clean++
				case found == "":
					unsure++
				default:
					effect++
				}
			}
			t.Logf("%d clean, %d with an effect, %d unsure without one", clean, effect, unsure)
			if clean < answerRounds/20 || effect < answerRounds/100 {
				t.Error("this test shows nothing")
			}
		})
	}
}

func randomAnswer(rnd *rand.Rand, texts []string) string {
	s := near(texts[rnd.IntN(len(texts))], rnd, texts)
	switch rnd.IntN(5) {
	case 0:
		return "<!DOCTYPE html>\n<html><body>" + s + "</body></html>"
	case 1:
		return `{"error":` + quoted(s, rnd) + `}`
	case 2:
		return s + "\n" + near(texts[rnd.IntN(len(texts))], rnd, texts)
	}
	return s
}
