package tune

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	crstests "github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v4"
)

// Attack is a value by which one of the Core Rule Set's own tests expects a rule
// to match.
type Attack struct {
	// Test names it: "942100-3", the third test of rule 942100.
	Test  string
	Value string
}

// attackMost bounds an attack, in bytes; the few longer ones say nothing more.
const attackMost = 1024

// testFile is what is needed of a file of the tests.
type testFile struct {
	Rule  int `yaml:"rule_id"`
	Tests []struct {
		ID     int `yaml:"test_id"`
		Stages []struct {
			Input struct {
				URI  string `yaml:"uri"`
				Data string `yaml:"data"`
			} `yaml:"input"`
			Output struct {
				Log struct {
					Expected []int `yaml:"expect_ids"`
				} `yaml:"log"`
			} `yaml:"output"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

// attacks reads those that stand in arguments, each value once.
func attacks() (all []Attack, err error) {
	known := map[string]bool{}
	err = fs.WalkDir(crstests.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !ofAttacks(path) {
			return err
		}
		text, err := fs.ReadFile(crstests.FS, path)
		if err != nil {
			return err
		}
		var file testFile
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("the Core Rule Set's tests, %s: %w", path, err)
		}
		for _, test := range file.Tests {
			for _, stage := range test.Stages {
				if len(stage.Output.Log.Expected) == 0 {
					continue // it expects no match
				}
				_, query, _ := strings.Cut(stage.Input.URI, "?")
				for _, value := range append(values(query), values(stage.Input.Data)...) {
					if !known[value] {
						known[value] = true
						all = append(all, Attack{fmt.Sprintf("%d-%d", file.Rule, test.ID), value})
					}
				}
			}
		}
		return nil
	})
	if err == nil && len(all) < 1000 {
		err = fmt.Errorf("the Core Rule Set's tests hold only %d attacks: they are not read as they are written", len(all))
	}
	return all, err
}

// ofAttacks accepts REQUEST-942-APPLICATION-ATTACK-SQLI/942100.yaml.
func ofAttacks(path string) bool {
	rest, ok := strings.CutPrefix(path, "REQUEST-")
	if !ok || len(rest) < 3 || !strings.HasSuffix(path, ".yaml") {
		return false
	}
	kind, err := strconv.Atoi(rest[:3])
	return err == nil && kind >= firstAttack && kind <= lastAttack
}

// values are those of the pairs of a query or form, or the texts of a JSON body.
func values(text string) (all []string) {
	add := func(value string) {
		if value != "" && len(value) <= attackMost && utf8.ValidString(value) && !strings.Contains(value, "\x00") {
			all = append(all, value)
		}
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		var body any
		if json.Unmarshal([]byte(text), &body) == nil {
			leaves(body, add)
			return all
		}
	}
	if strings.HasPrefix(text, "<") || strings.HasPrefix(text, "--") {
		return nil // XML and multipart
	}
	for pair := range strings.SplitSeq(text, "&") {
		_, value, ok := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(value); ok && err == nil {
			add(decoded)
		}
	}
	return all
}

func leaves(v any, add func(string)) {
	switch v := v.(type) {
	case string:
		add(v)
	case []any:
		for _, each := range v {
			leaves(each, add)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			leaves(v[name], add)
		}
	}
}

// sample are at most n, evenly spread; all for n <= 0.
func sample(all []Attack, n int) []Attack {
	if n <= 0 || n >= len(all) {
		return all
	}
	some := make([]Attack, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}
