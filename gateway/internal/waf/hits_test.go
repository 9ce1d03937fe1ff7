package waf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"portcullis/gateway/internal/pipeline"
)

// hitsOf is what a security event would tell of a request.
func hitsOf(t testing.TB, tx *pipeline.Transaction) []pipeline.Hit {
	t.Helper()
	through(as(inspector(t), ProofOff, nil), NewGate(0), tx)
	return tx.WAF.Hits
}

func TestAHitTellsTheRuleAndThePlaceAndTheShapeOfTheValue(t *testing.T) {
	tx := request("POST", "/v1/reservations", jsonMedia, `{"note":"1' OR 1=1--"}`)
	hits := hitsOf(t, tx)
	n := slices.IndexFunc(hits, func(h pipeline.Hit) bool { return h.Rule == 942100 })
	if n < 0 {
		t.Fatalf("no hit of 942100: %+v", hits)
	}
	h := hits[n]
	if h.Message != "SQL Injection Attack Detected via libinjection" || h.Paranoia != 1 || h.Severity != "critical" || !h.Denies {
		t.Errorf("%+v", h)
	}
	if !strings.HasPrefix(h.Place, "@owasp_crs/REQUEST-942-APPLICATION-ATTACK-SQLI.conf:") {
		t.Errorf("the rule stands at %q", h.Place)
	}
	if want := []pipeline.HitAt{{Target: "ARGS:json.note", Shape: "9' aa 9=9--", Bytes: 11}}; !slices.Equal(h.At, want) {
		t.Errorf("at %+v, want %+v", h.At, want)
	}
	if !tx.WAF.Stopped || tx.WAF.Threshold != 5 {
		t.Errorf("stopped %v at %d", tx.WAF.Stopped, tx.WAF.Threshold)
	}
}

func TestWhatHitsTellOfValuesAndNames(t *testing.T) {
	const sqli, script = "1%27%20OR%201=1--", "%3Cscript%3Ealert(1)%3C/script%3E"
	with := func(name, value string) *pipeline.Transaction {
		tx := request("GET", "/v1/hotels", "", "")
		tx.Request.Header.Set(name, value)
		return tx
	}
	for name, c := range map[string]struct {
		tx    *pipeline.Transaction
		want  pipeline.HitAt
		never string
	}{
		"a parameter":             {request("GET", "/?q="+sqli, "", ""), pipeline.HitAt{Target: "ARGS:q", Shape: "9' aa 9=9--", Bytes: 11}, "OR"},
		"a password":              {request("GET", "/?password="+sqli, "", ""), pipeline.HitAt{Target: "ARGS:password", Shape: "[redacted]", Bytes: -1}, "OR"},
		"a member of credentials": {request("POST", "/", jsonMedia, `{"credentials":{"x":"1' OR 1=1--"}}`), pipeline.HitAt{Target: "ARGS:json.credentials.x", Shape: "[redacted]", Bytes: -1}, "OR"},
		"the end of a long text": {request("POST", "/", jsonMedia, `{"note":"`+strings.Repeat("a quiet room ", 20)+`<script>alert(1)</script>"}`),
			pipeline.HitAt{Target: "ARGS:json.note", Shape: "…aa a aaaa aaaa <aaaa>aaaa(9)</aaaa>", Bytes: 285}, "script"},
		"a parameter without a name":            {request("GET", "/?<script>alert(1)</script>CANARY", "", ""), pipeline.HitAt{Target: "ARGS_NAMES:[redacted]", Shape: "[redacted]", Bytes: -1}, "CANARY"},
		"a value in Base64 without a name":      {request("GET", "/?<script>alert(1)</script>CANARYABC==", "", ""), pipeline.HitAt{Target: "ARGS_NAMES:[redacted]", Shape: "[redacted]", Bytes: -1}, "CANARY"},
		"a name that is none":                   {request("GET", "/?"+script+"CANARY=1", "", ""), pipeline.HitAt{Target: "ARGS_NAMES:[<aaaa>aaaa(9)</aaaa>aaaa]", Shape: "<aaaa>aaaa(9)</aaaa>aaaa", Bytes: 31}, "CANARY"},
		"a name that looks like a key":          {request("GET", "/?sk0live04eC39HqLyjWDarjtT1zdp="+sqli, "", ""), pipeline.HitAt{Target: "ARGS:[redacted]", Shape: "[redacted]", Bytes: -1}, "HqLyj"},
		"a name that is too long":               {request("GET", "/?"+strings.Repeat("CANARY", 12)+"="+sqli, "", ""), pipeline.HitAt{Target: "ARGS:[redacted]", Shape: "[redacted]", Bytes: -1}, "CANARY"},
		"a cookie":                              {with("Cookie", "theme=<script>alert(1)</script>"), pipeline.HitAt{Target: "REQUEST_COOKIES:theme", Shape: "[redacted]", Bytes: -1}, "script"},
		"a field":                               {with("User-Agent", "<script>alert(1)</script>"), pipeline.HitAt{Target: "REQUEST_HEADERS:User-Agent", Shape: "<aaaa>aaaa(9)</aaaa>", Bytes: 25}, "script"},
		"a field that is named like a secret's": {with("X-Api-Key", "${jndi:ldap://CANARY/a}"), pipeline.HitAt{Target: "REQUEST_HEADERS:X-Api-Key", Shape: "[redacted]", Bytes: -1}, "CANARY"},
	} {
		t.Run(name, func(t *testing.T) {
			hits := hitsOf(t, c.tx)
			var all []pipeline.HitAt
			for _, h := range hits {
				all = append(all, h.At...)
			}
			if !slices.ContainsFunc(all, func(at pipeline.HitAt) bool {
				return strings.EqualFold(at.Target, c.want.Target) && at.Shape == c.want.Shape && at.Bytes == c.want.Bytes
			}) {
				t.Errorf("no %+v among %+v", c.want, all)
			}
			if len(hits) == 0 {
				t.Error("no hit")
			}
			if text := fmt.Sprintf("%+v", all); strings.Contains(text, c.never) {
				t.Errorf("%q is told: %s", c.never, text)
			}
		})
	}
}

// Secrets in every place that rules look at, beside an attack that makes them
// match. The canary has letters and digits; no shape has such.
func TestNoSecretStandsInAHit(t *testing.T) {
	const canary = "Zq7Kw3Vb"
	for _, attack := range []string{`' OR 1=1-- `, `<script>alert(1)</script>`, `; cat /etc/passwd`, `${jndi:ldap://x/a}`, "\x01%%3Cscript"} {
		secret := canary + attack + canary
		escaped := queryEscaped(secret)
		text, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		places := map[string]*pipeline.Transaction{
			"a value of the query":   request("GET", "/?q="+escaped, "", ""),
			"a name of the query":    request("GET", "/?"+escaped+"=1", "", ""),
			"a query without a name": request("GET", "/?"+escaped, "", ""),
			"a path":                 request("GET", "/"+strings.ReplaceAll(escaped, "+", "%20"), "", ""),
			"a value of a form":      request("POST", "/", formMedia, "q="+escaped),
			"a name of a form":       request("POST", "/", formMedia, escaped+"=1"),
			"a form without a name":  request("POST", "/", formMedia, escaped),
			"a member of a body":     request("POST", "/", jsonMedia, `{"q":`+string(text)+`}`),
			"a name in a body":       request("POST", "/", jsonMedia, `{`+string(text)+`:1}`),
			"a list in a body":       request("POST", "/", jsonMedia, `[`+string(text)+`]`),
		}
		for _, field := range []string{"Cookie", "Referer", "User-Agent", "X-Api-Key", "X-Anything", "Accept", "Proxy-Authorization", "X-Http-Method-Override", canary + "-Canary"} {
			tx := request("GET", "/", "", "")
			value := strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, secret)
			if field == "Cookie" {
				value = "session=" + value + "; " + value + "=1"
			}
			tx.Request.Header[field] = []string{value}
			places["the field "+field] = tx
		}
		for name, tx := range places {
			for _, h := range hitsOf(t, tx) {
				target := h.At
				if field, ok := strings.CutPrefix(name, "the field "); ok && strings.HasPrefix(field, canary) {
					continue // what a client calls a field is told
				}
				if text := fmt.Sprintf("%+v %+v", h, target); strings.Contains(strings.ToLower(text), strings.ToLower(canary)) {
					t.Errorf("%s with %q: %s", name, attack, text)
				}
			}
		}
	}
}

func queryEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func TestHitsOfOneRequestAreBounded(t *testing.T) {
	var pairs []string
	for i := range 100 {
		pairs = append(pairs, fmt.Sprintf("a%d=%%3Cscript%%3Ealert(1)%%3C/script%%3E", i))
	}
	hits := hitsOf(t, request("POST", "/", formMedia, strings.Join(pairs, "&")))
	if len(hits) == 0 || len(hits) > maxHits {
		t.Fatalf("%d hits", len(hits))
	}
	most := 0
	for _, h := range hits {
		if len(h.At) > maxHitsAt || len(h.Message) > maxMessage+3 || len(h.Place) > maxHitPlace+12 {
			t.Errorf("%+v", h)
		}
		most = max(most, len(h.At)+h.More)
	}
	if most != 100 {
		t.Errorf("a rule that matched 100 parameters tells of %d", most)
	}
}

func TestARuleThatSaysWhatItFoundIsToldAsItIsWritten(t *testing.T) {
	tx := request("GET", "/", "", "")
	tx.Request.Header.Set("Proxy", "http://CANARY/")
	for _, h := range hitsOf(t, tx) {
		if h.Rule == 920450 {
			if h.Message != "HTTP header is restricted by policy (%{MATCHED_VAR})" {
				t.Errorf("the message is %q", h.Message)
			}
			return
		}
	}
	t.Error("no hit of 920450")
}

func TestNothingIsAllocatedWhereNothingMatched(t *testing.T) {
	i := inspector(t)
	if n := testing.AllocsPerRun(100, func() {
		if i.hits(nil, 0, i.counts, nil) != nil {
			t.Error("hits out of nothing")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzAShapeHasNoTextOfTheValue(f *testing.F) {
	for _, seed := range []string{"", "1' OR 1=1--", "<script>", "pässword\x00\xff", strings.Repeat("a", 100), "日本語 text"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		s := shapeAround(value, value[len(value)/2:])
		if utf8.RuneCountInString(s) > maxShape {
			t.Errorf("%q has the shape %q", value, s)
		}
		for _, r := range strings.TrimPrefix(s, leftOut) {
			letter, digit := unicode.IsLetter(r) && !strings.ContainsRune("axc", r), unicode.IsDigit(r) && r != '9'
			if letter || digit || unicode.IsControl(r) || r >= utf8.RuneSelf {
				t.Errorf("%q has the shape %q", value, s)
			}
		}
		if strings.Contains(s, strings.Repeat("a", maxRun+1)) {
			t.Errorf("%q tells how long its words are: %q", value, s)
		}
	})
}
