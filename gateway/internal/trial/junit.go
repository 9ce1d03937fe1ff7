package trial

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"portcullis/policies/policy"
)

// JUnit's report, as build servers read it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a report with a suite for each file of tests. dir is put before
// the names of files.
func (r Report) JUnit(w io.Writer, doc *policy.Document, dir string) error {
	out := junitSuites{Tests: len(r.Results), Failures: r.Failed(), Time: seconds(r.Took.Seconds())}
	var took float64
	for i, result := range r.Results {
		file := within(dir, result.Test.Name.Pos).File
		if i == 0 || out.Suites[len(out.Suites)-1].Name != plain(file) {
			took = 0
			out.Suites = append(out.Suites, junitSuite{Name: plain(file)})
		}
		suite := &out.Suites[len(out.Suites)-1]
		took += result.Took.Seconds()
		suite.Tests, suite.Time = suite.Tests+1, seconds(took)
		c := junitCase{
			Name: plain(result.Test.Name.V), Class: strings.TrimSuffix(plain(file), ".yaml"), File: plain(file),
			Line: result.Test.Name.Pos.Line, Time: seconds(result.Took.Seconds()),
		}
		if result.Failed() {
			suite.Failures++
			message, text := result.outline(doc, dir)
			c.Failure = &junitFailure{Message: plain(message), Type: CodeFailed, Text: plain(text)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.6f", s) }

// plain leaves out what XML 1.0 cannot hold, and what would move a cursor.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r < 0x7f || r > 0x9f && r < 0xd800 || r > 0xdfff && r != 0xfffe && r != 0xffff {
			return r
		}
		return -1
	}, text)
}
