package compile

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"portcullis/policies/policy"
)

// words are what policies are made of; put in place of one another they make
// what nobody has thought of.
var words = []string{
	"GET /counted", "GET /{a}/{b}", "POST /x/*", "DELETE /", "GET,POST /y/{id}", "{none: why}", "[]", "[{}]", "{}", "''", "true", "0", "-1", "1s", "0s", "9999h", "1000000/1s", "1/1h",
	"64KiB", "0KiB", "1GiB", "100%", "0%", "shadow", "enforce", "anyone: true, reason: r", "scopes: [read]", "scopes: []", "owner: hotel", "owner: nobody", "when: 'true'",
	"when: 'request.path == \"/\"'", "when: 'token.sub[0]'", "when: '['", "claims: {role: admin}", "methods: [GET]", "networks: [0.0.0.0/0]", "networks: [x]", "websocket: true",
	"encoded_slash: true", "compress: true", "compress: [text/*]", "protocol: h2", "protocol: h2c", "redirect: {to: /x, status: 308}", "strip_prefix: /counted", "rewrite: /z/{hotel}",
	"set: {X-A: b}", "cors: {origins: ['*']}", "timeout: 1ms", "capacity: 1", "validate: {schema: missing.json}", "hosts: [other.test]", "by: source", "by: principal", "by: nothing",
	"backend", "hotel", "few", "many", "per-source", "api", "nobody", "version: 2", "burst: 0", "burst: 99999999",
}

// garble replaces words, cuts lines out and repeats them.
func garble(r *rand.Rand, text string) string {
	lines := strings.Split(text, "\n")
	for range 1 + r.IntN(3) {
		at := r.IntN(len(lines))
		switch r.IntN(4) {
		case 0:
			lines = append(lines[:at:at], lines[at+1:]...)
		case 1:
			lines = append(lines[:at+1:at+1], lines[at:]...)
		default:
			fields := strings.FieldsFunc(lines[at], func(c rune) bool { return strings.ContainsRune("{},: []\"", c) })
			if len(fields) > 0 {
				lines[at] = strings.Replace(lines[at], fields[r.IntN(len(fields))], words[r.IntN(len(words))], 1)
			}
		}
		if len(lines) == 0 {
			return ""
		}
	}
	return strings.Join(lines, "\n")
}

// compiles wants of whatever validates a snapshot, or mistakes that say where: no
// panic, no other error, and nothing of both. It reports whether there was one.
func (f *fixture) compiles(t testing.TB, text string) bool {
	t.Helper()
	doc, err := policy.Check(fstest.MapFS{"policy.yaml": {Data: []byte(text)}}, func(name string) (string, bool) {
		switch name {
		case "ISSUER":
			return f.issuer.URL, true
		case "BACKEND":
			return f.backend.URL, true
		}
		return "", false
	})
	if err != nil {
		return false
	}
	s, err := f.compiler.Compile(doc, nil)
	if err == nil {
		if s == nil || len(s.Routes) == 0 {
			t.Errorf("a snapshot without routes of\n%s", text)
		}
		f.compiler.Retire(s, nil)
		return true
	}
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok || s != nil || len(mistakes) == 0 {
		t.Errorf("snapshot %v and %v of\n%s", s, err, text)
	}
	return false
}

// plain is small without the WAF, whose rules take most of the time.
var plain = strings.NewReplacer(", waf: api}", ", waf: {none: r}}", "waf:\n", "", small[strings.Index(small, "  - {name: api,"):strings.Index(small, "defaults:")], "").Replace(small)

func TestWhatValidatesCompilesOrSaysWhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	if !f.compiles(t, plain) {
		t.Fatal("it does not compile ungarbled")
	}
	r := rand.New(rand.NewPCG(4, 2))
	valid := 0
	const many = 2000
	for range many {
		if f.compiles(t, garble(r, plain)) {
			valid++
		}
		if t.Failed() {
			return
		}
	}
	if valid < many/50 {
		t.Errorf("of %d texts %d compile: they are too wild to show anything", many, valid)
	}
}

func FuzzWhatValidatesCompiles(f *testing.F) {
	x := newFixture(f, fine)
	f.Add(small)
	f.Add(plain)
	f.Fuzz(func(t *testing.T, text string) { x.compiles(t, text) })
}
