package policy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The reference names every key and every code there is, and no other code.
func TestTheReferenceIsComplete(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../README.md")
	must(t, err)
	reference := string(data)

	d := &decoder{doc: &Document{}}
	var v Value[int]
	var upstream Value[string]
	sections := map[string][]field{
		"Every file":  d.fileKeys(&v, &upstream),
		"defaults":    defaultKeys(&Defaults{}),
		"floor":       floorKeys(&Floor{}),
		"issuers":     append(issuerKeys(&Issuer{}), revocationsKeys(&Revocations{})...),
		"upstreams":   append(append(upstreamKeys(&Upstream{}), breakerKeys(&Breaker{})...), credentialKeys(&Upstream{})...),
		"limits":      limitKeys(&Limit{}),
		"waf":         append(append(append(wafKeys(&WAFProfile{}), paranoiaKeys(&Paranoia{})...), thresholdKeys(&Threshold{})...), inspectKeys(&Inspect{})...),
		"routes":      routeKeys(&Route{}),
		"allow, deny": ruleKeys(&Rule{}),
		"clients":     append(clientKeys(&Client{}), audienceKeys(&Audience{})...),
	}
	for title, table := range sections {
		_, section, found := strings.Cut(reference, "\n## "+title+"\n")
		if !found {
			t.Errorf("there is no section %q", title)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, f := range table {
			if !regexp.MustCompile("`[^`]*\\b" + f.key + "\\b[^`]*`").MatchString(section) {
				t.Errorf("section %q does not name the key %q", title, f.key)
			}
		}
	}

	source, err := os.ReadFile("code.go")
	must(t, err)
	code := regexp.MustCompile(`P\d{3}`)
	known := map[string]bool{}
	for _, c := range code.FindAllString(string(source), -1) {
		known[c] = true
		if !strings.Contains(reference, "| "+c+" |") {
			t.Errorf("the code %s is not explained", c)
		}
	}
	for _, c := range code.FindAllString(reference, -1) {
		if !known[c] {
			t.Errorf("the code %s does not exist", c)
		}
	}
}
