package e2e

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	crstests "github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v4"
)

// crsCase is a case of the Core Rule Set's own regression tests.
type crsCase struct {
	id     string // "942100-3": the rule it is about, and its number
	stages []crsStage
}

// stage names a request of the case.
func (c crsCase) stage(n int) string { return fmt.Sprintf("%s/%d", c.id, n+1) }

// crsStage is a request of a case, as bytes, and what is to come of it.
type crsStage struct {
	request string
	method  string
	want    crsWant
}

// crsWant is what the Core Rule Set wants of a request; what is zero is not
// asked for.
type crsWant struct {
	Status      int  `yaml:"status"`
	ExpectError bool `yaml:"expect_error"`
	// RetryOnce and Isolated are about how logs are read elsewhere: we ask for the
	// one event of the one request.
	RetryOnce bool `yaml:"retry_once"`
	Log       struct {
		Expect    []int  `yaml:"expect_ids"`
		NoExpect  []int  `yaml:"no_expect_ids"`
		Matches   string `yaml:"match_regex"`
		NoMatches string `yaml:"no_match_regex"`
	} `yaml:"log"`
}

// crsFile is a file of them. All fields that the files of the pinned version have
// are here, and others are mistakes: a condition that nobody reads would be one
// that always holds.
type crsFile struct {
	Meta   yaml.Node `yaml:"meta"`
	Author string    `yaml:"author"` // one file has it here
	Rule   int       `yaml:"rule_id"`
	Tests  []struct {
		ID     int    `yaml:"test_id"`
		Desc   string `yaml:"desc"`
		Stages []struct {
			Input  crsInput `yaml:"input"`
			Output crsWant  `yaml:"output"`
		} `yaml:"stages"`
	} `yaml:"tests"`
}

// crsInput is a request as a file describes it.
type crsInput struct {
	Address  string    `yaml:"dest_addr"` // ours is another
	Port     int       `yaml:"port"`
	Method   *string   `yaml:"method"`
	URI      *string   `yaml:"uri"`
	Version  *string   `yaml:"version"`
	Headers  yaml.Node `yaml:"headers"`
	Data     *string   `yaml:"data"`
	Encoded  string    `yaml:"encoded_request"`
	Complete *bool     `yaml:"autocomplete_headers"`
}

// leastCases is how many there are at least: fewer would mean that we look in the
// wrong place.
const leastCases = 4656

// crsCases are all of them, in the order of their files.
func crsCases(t *testing.T) (all []crsCase) {
	t.Helper()
	err := fs.WalkDir(crstests.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(crstests.FS, path)
		if err != nil {
			return err
		}
		cases, err := readCRS(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, cases...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < leastCases {
		t.Fatalf("only %d cases", len(all))
	}
	return all
}

func readCRS(text []byte) (all []crsCase, err error) {
	if !strings.Contains(string(text), "\ntests:") {
		return nil, nil // one is but a comment
	}
	var file crsFile
	if err := yaml.Load(text, &file, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	for _, test := range file.Tests {
		c := crsCase{id: fmt.Sprintf("%d-%d", file.Rule, test.ID)}
		for _, s := range test.Stages {
			stage, err := s.Input.stage()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.id, err)
			}
			stage.want = s.Output
			c.stages = append(c.stages, stage)
		}
		all = append(all, c)
	}
	return all, nil
}

// stage is the request as bytes.
func (in crsInput) stage() (crsStage, error) {
	if in.Encoded != "" {
		raw, err := base64.StdEncoding.DecodeString(in.Encoded)
		method, _, _ := strings.Cut(string(raw), " ")
		return crsStage{request: string(raw), method: method}, err
	}
	r := crsRequest{
		method: or(in.Method, "GET"), target: or(in.URI, "/"), version: or(in.Version, "HTTP/1.1"),
		data: or(in.Data, ""),
	}
	for i := 0; i+1 < len(in.Headers.Content); i += 2 {
		r.fields = append(r.fields, [2]string{in.Headers.Content[i].Value, in.Headers.Content[i+1].Value})
	}
	r.finish(or(in.Complete, true))
	return crsStage{request: r.bytes(), method: r.method}, nil
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
