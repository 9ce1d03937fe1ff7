package proof

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/waf/collect"
)

// directives is a policy as profiles make it.
func directives(paranoia int, own string) string {
	return `Include @coraza.conf-recommended
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecAuditEngine Off
SecDebugLogLevel 0
SecRequestBodyLimit 65537
SecRequestBodyInMemoryLimit 65537
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 20
SecArgumentsLimit 255
SecRule ARGUMENTS_LIMIT_REACHED "@eq 1" "id:100001,phase:2,t:none,nolog,deny,status:400"
Include @crs-setup.conf.example
` + fmt.Sprintf(`SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=%d,setvar:tx.detection_paranoia_level=%[1]d"`, paranoia) + `
SecAction "id:900110,phase:1,pass,t:none,nolog,setvar:tx.inbound_anomaly_score_threshold=5,setvar:tx.outbound_anomaly_score_threshold=4"
SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS'"
SecAction "id:900220,phase:1,pass,t:none,nolog,setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |application/json| |application/merge-patch+json| |application/json-patch+json| |multipart/form-data| |text/xml| |application/xml| |application/soap+xml|'"
` + "Include @owasp_crs/*.conf\n" + own
}

func program(t testing.TB, paranoia int, own string) *Program {
	t.Helper()
	p, err := Compile(Config{Files: crs.FS, Directives: directives(paranoia, own)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func engine(t testing.TB, paranoia int, own string) coraza.WAF {
	t.Helper()
	w, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(crs.FS).WithDirectives(directives(paranoia, own)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The set takes a second to compile under the race detector; tests that change
// nothing share it.
var (
	sharedProgram = sync.OnceValues(func() (*Program, error) { return Compile(Config{Files: crs.FS, Directives: directives(1, "")}) })
	sharedEngine  = sync.OnceValues(func() (coraza.WAF, error) {
		return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(crs.FS).WithDirectives(directives(1, "")))
	})
	sharedSuite = sync.OnceValues(readSuite)
)

// loaded is a set that several tests share.
type loaded struct {
	once   sync.Once
	policy *Program
	engine coraza.WAF
}

// sharedLevels are the sets of higher paranoia levels, sharedMeddling the one with
// rules that change what others come to.
var (
	sharedLevels   [5]loaded
	sharedMeddling loaded
)

func (l *loaded) get(t testing.TB, paranoia int, own string) (*Program, coraza.WAF) {
	t.Helper()
	l.once.Do(func() { l.policy, l.engine = program(t, paranoia, own), engine(t, paranoia, own) })
	if l.policy == nil || l.engine == nil {
		t.Fatal("the set was not loaded")
	}
	return l.policy, l.engine
}

// sharedAt is shared for one paranoia level.
func sharedAt(t testing.TB, paranoia int) (*Program, coraza.WAF) {
	t.Helper()
	if paranoia == 1 {
		return shared(t)
	}
	return sharedLevels[paranoia].get(t, paranoia, "")
}

func shared(t testing.TB) (*Program, coraza.WAF) {
	t.Helper()
	p, err := sharedProgram()
	if err != nil {
		t.Fatal(err)
	}
	w, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	return p, w
}

// request is what both sides are given.
type request struct {
	collect.Head
	body string
}

func (r request) String() string {
	return fmt.Sprintf("%q %q %q %q body %.600q", r.Method, r.Target, r.Proto, r.Fields, r.body)
}

// asked is the verdict on a whole request.
func (p *Program) asked(r *request) Verdict {
	k := p.Begin()
	defer k.End()
	if v := k.Head(&r.Head); !v.Clean {
		return v
	}
	return k.Body(r.body)
}

// effects is what the engine made of a request: empty when it had none.
func effects(w coraza.WAF, r *request) string {
	tx := w.NewTransaction()
	defer func() { _ = tx.Close() }()
	stopped := begun(tx, r)
	if stopped == nil && r.body != "" {
		stopped, _, _ = tx.WriteRequestBody([]byte(r.body))
	}
	if stopped == nil {
		stopped, _ = tx.ProcessRequestBody()
	}
	return told(tx, stopped, "inbound", logged)
}

// begun has the engine look at the head of a request.
func begun(tx types.Transaction, r *request) *types.Interruption {
	tx.ProcessConnection(r.Source, 0, "", 0)
	tx.ProcessURI(r.Target, r.Method, r.Proto)
	for _, f := range r.Fields {
		tx.AddRequestHeader(f.Name, f.Value)
	}
	return tx.ProcessRequestHeaders()
}

// told is what the engine made of what goes inbound or outbound: what stopped it,
// the scores, and the rules that matched and count; empty for nothing.
func told(tx types.Transaction, stopped *types.Interruption, direction string, counts func(types.MatchedRule) bool) string {
	var all []string
	if stopped != nil {
		all = append(all, fmt.Sprintf("stopped by %d with %d", stopped.RuleID, stopped.Status))
	}
	state := tx.(plugintypes.TransactionState).Variables().TX()
	for _, name := range []string{"blocking_%s_anomaly_score", "detection_%s_anomaly_score", "%s_anomaly_score_pl1", "%s_anomaly_score_pl2", "%s_anomaly_score_pl3", "%s_anomaly_score_pl4"} {
		name = fmt.Sprintf(name, direction)
		if v := state.Get(name); len(v) > 0 && v[0] != "0" && v[0] != "" {
			all = append(all, name+" "+v[0])
		}
	}
	for _, m := range tx.MatchedRules() {
		if counts(m) {
			all = append(all, fmt.Sprintf("rule %d", m.Rule().ID()))
		}
	}
	return strings.Join(all, ", ")
}

func logged(m types.MatchedRule) bool {
	l, ok := m.(interface{ Log() bool })
	return !ok || l.Log()
}

// usual is a browser's header.
func usual(more ...collect.Field) []collect.Field {
	return append([]collect.Field{
		{Name: "Host", Value: "api.example.com"},
		{Name: "Accept", Value: "application/json, text/plain, */*"},
		{Name: "Accept-Encoding", Value: "gzip, deflate, br"},
		{Name: "Accept-Language", Value: "en-US,en;q=0.9"},
		{Name: "Cookie", Value: "session=6f1c2a0b9d8e4f7a; theme=dark; _ga=GA1.2.123456789.1700000000"},
		{Name: "Origin", Value: "https://app.example.com"},
		{Name: "Referer", Value: "https://app.example.com/orders?page=1"},
		{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"},
		{Name: "X-Forwarded-Proto", Value: "https"},
		{Name: "X-Request-Id", Value: "7d2f1f86-7e11-4a2a-9a36-1c3a1d2f9b55"},
	}, more...)
}

func get(target string, more ...collect.Field) *request {
	return &request{Head: collect.Head{Method: "GET", Target: target, Proto: "HTTP/1.1", Source: "203.0.113.7", Fields: usual(more...)}}
}

func post(media, body string) *request {
	r := get("/api/v1/orders", collect.Field{Name: "Content-Type", Value: media}, collect.Field{Name: "Content-Length", Value: fmt.Sprint(len(body))})
	r.Method, r.body = "POST", body
	return r
}
