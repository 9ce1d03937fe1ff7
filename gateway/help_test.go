package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"portcullis/gateway/internal/compile"
	"portcullis/policies/policy"
)

// Codes are declared where their mistakes are found, as constants CodeX = "P001".
func TestEveryCodeThereIsHasOneExplanation(t *testing.T) {
	t.Parallel()
	declared := append(codesDeclared(t, "."), codesDeclared(t, "../policies")...)
	if len(declared) < 40 {
		t.Fatalf("only %d codes are found: %v", len(declared), declared)
	}
	var explained []string
	for _, e := range explanations() {
		if slices.Contains(explained, e.Code) {
			t.Errorf("%s is explained twice", e.Code)
		}
		explained = append(explained, e.Code)
	}
	slices.Sort(declared)
	slices.Sort(explained)
	if !slices.Equal(declared, explained) {
		t.Errorf("declared are  %v\nexplained are %v", declared, explained)
	}
}

func codesDeclared(t *testing.T, dir string) []string {
	t.Helper()
	code := regexp.MustCompile(`^[A-Z][0-9]{3}$`)
	var codes []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if value, err := strconv.Unquote(literal.Value); err == nil && code.MatchString(value) {
					codes = append(codes, value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// What shows a mistake that only compiling finds is compiled.
func TestExamplesOfCompilingShowWhatTheySay(t *testing.T) {
	t.Parallel()
	base, err := os.ReadFile("../policies/policy/testdata/base.txt")
	if err != nil {
		t.Fatal(err)
	}
	codes := func(t *testing.T, piece string) []string {
		t.Helper()
		fsys := fstest.MapFS{"a.yaml": {Data: []byte("version: 1\n" + piece)}}
		if !strings.HasPrefix(piece, "hosts:") {
			fsys["base.yaml"] = &fstest.MapFile{Data: base}
		} else if strings.Contains(piece, "routes:") {
			fsys["base.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(base), "hosts: [localhost]\n", "", 1))}
		}
		doc, err := policy.Check(fsys, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		compiler, err := offline()
		if err != nil {
			t.Fatal(err)
		}
		_, err = compiler.Compile(doc, nil)
		mistakes, _ := errors.AsType[policy.Mistakes](err)
		return mistakes.Codes()
	}
	for _, e := range compile.Explanations() {
		t.Run(e.Code, func(t *testing.T) {
			t.Parallel()
			if e.Title == "" || e.Why == "" || e.Mend == "" || (e.Wrong == "") != (e.Right == "") {
				t.Fatalf("it explains half: %+v", e)
			}
			if e.Wrong == "" {
				return
			}
			if got := codes(t, e.Wrong); !slices.Equal(got, []string{e.Code}) {
				t.Errorf("what is wrong has %v", got)
			}
			if got := codes(t, e.Right); len(got) > 0 {
				t.Errorf("what is right has %v", got)
			}
		})
	}
}
