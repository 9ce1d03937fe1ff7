package proof

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	crstests "github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v4"

	"portcullis/gateway/internal/waf/collect"
)

// suiteFile is a file of the Core Rule Set's regression tests.
type suiteFile struct {
	Rule  int `yaml:"rule_id"`
	Tests []struct {
		ID     int `yaml:"test_id"`
		Stages []struct {
			Input struct {
				Method  *string   `yaml:"method"`
				URI     *string   `yaml:"uri"`
				Version *string   `yaml:"version"`
				Headers yaml.Node `yaml:"headers"`
				Data    *string   `yaml:"data"`
				Encoded string    `yaml:"encoded_request"`
				Auto    *bool     `yaml:"autocomplete_headers"`
			} `yaml:"input"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

type suiteRequest struct {
	name string
	*request
}

// suite are all requests of the Core Rule Set's regression tests.
func suite(t testing.TB) []suiteRequest {
	t.Helper()
	all, err := sharedSuite()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 4600 {
		t.Fatalf("only %d requests: this test looks in the wrong place", len(all))
	}
	return all
}

func readSuite() (all []suiteRequest, err error) {
	err = fs.WalkDir(crstests.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(crstests.FS, path)
		if err != nil {
			return err
		}
		var file suiteFile
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, test := range file.Tests {
			for n, stage := range test.Stages {
				in := stage.Input
				r := &request{Head: collect.Head{Method: "GET", Target: "/", Proto: "HTTP/1.1", Source: "203.0.113.7"}}
				all = append(all, suiteRequest{fmt.Sprintf("%d-%d.%d", file.Rule, test.ID, n), r})
				if in.Encoded != "" {
					raw, err := base64.StdEncoding.DecodeString(in.Encoded)
					if err != nil {
						return fmt.Errorf("%s: %w", path, err)
					}
					r.parse(string(raw))
					continue
				}
				for value, to := range map[*string]*string{in.Method: &r.Method, in.URI: &r.Target, in.Version: &r.Proto, in.Data: &r.body} {
					if value != nil {
						*to = *value
					}
				}
				has := map[string]bool{}
				for i := 0; i+1 < len(in.Headers.Content); i += 2 {
					name := in.Headers.Content[i].Value
					r.Fields = append(r.Fields, collect.Field{Name: name, Value: in.Headers.Content[i+1].Value})
					has[strings.ToLower(name)] = true
				}
				if in.Auto == nil || *in.Auto {
					r.complete(has)
				}
			}
		}
		return nil
	})
	return all, err
}

// parse reads a raw request.
func (r *request) parse(raw string) {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	first := append(strings.SplitN(lines[0], " ", 3), "", "")
	r.Method, r.Target, r.Proto, r.body = first[0], first[1], first[2], body
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		r.Fields = append(r.Fields, collect.Field{Name: name, Value: strings.TrimSpace(value)})
	}
}

// complete adds what clients of the suite add by themselves.
func (r *request) complete(has map[string]bool) {
	add := func(name, value string) {
		if !has[strings.ToLower(name)] {
			r.Fields = append(r.Fields, collect.Field{Name: name, Value: value})
		}
	}
	if r.body != "" {
		add("Content-Type", "application/x-www-form-urlencoded")
	}
	if (r.body != "" || r.Method == "POST") && !has["transfer-encoding"] {
		add("Content-Length", fmt.Sprint(len(r.body)))
	}
	add("Connection", "close")
}

// payloads are the texts of the suite: attacks, and what looks like one.
func payloads(t testing.TB) (all []string) {
	seen := map[string]bool{}
	add := func(s string) {
		if s != "" && len(s) < 3000 && !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	form := func(s string) {
		for pair := range strings.SplitSeq(s, "&") {
			name, value, _ := strings.Cut(pair, "=")
			for _, s := range []string{name, value} {
				add(s)
				if decoded, err := url.QueryUnescape(s); err == nil {
					add(decoded)
				}
			}
		}
	}
	for _, r := range suite(t) {
		_, query, _ := strings.Cut(r.Target, "?")
		form(query)
		form(r.body)
		add(r.Target)
		add(r.body)
		for _, f := range r.Fields {
			add(f.Value)
		}
	}
	return all
}

// TestTheSuiteFindsNoWrongClean: whatever of the Core Rule Set's own tests is
// said to be clean has no effect in the engine.
func TestTheSuiteFindsNoWrongClean(t *testing.T) {
	t.Parallel()
	requests := suite(t)
	for paranoia := 1; paranoia <= 4; paranoia++ {
		if suiteShare[paranoia] == 0 {
			continue
		}
		t.Run(fmt.Sprint("paranoia ", paranoia), func(t *testing.T) {
			t.Parallel()
			p, w := sharedAt(t, paranoia)
			clean, unsure, effect := 0, 0, 0
			why := map[string]int{}
			for n, r := range requests {
				if n%suiteShare[paranoia] != 0 {
					continue
				}
				v := p.asked(r.request)
				found := effects(w, r.request)
				switch {
				case v.Clean && found != "":
					t.Errorf("%s is said to be clean, the engine: %s\n%v", r.name, found, r.request)
				case v.Clean:
					clean++
				case found == "":
					unsure++
					why[fmt.Sprint(v.Rule, " ", v.Why)]++
				default:
					effect++
				}
			}
			t.Logf("%d clean, %d with an effect, %d unsure without one", clean, effect, unsure)
			t.Logf("%v", why)
		})
	}
}
