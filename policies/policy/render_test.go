package policy

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAMistakeFoundLaterIsQuotedToo(t *testing.T) {
	t.Parallel()
	doc, err := Load(fstest.MapFS{"a.yaml": file("version: 1\nhosts: [localhost]\n")}, noEnvironment)
	must(t, err)
	m := doc.Excerpt(At(doc.Gateway.Hosts[0].Pos, "P040", "it cannot be compiled", "try another"))
	if m.Place() != "a.yaml:2:9" || m.Width != len("localhost") || m.Source[0] != "hosts: [localhost]" {
		t.Errorf("%+v", m)
	}
	elsewhere := At(Pos{"nowhere.yaml", 99, 1}, "P040", "x", "")
	if got := doc.Excerpt(elsewhere); len(got.Source) != 0 {
		t.Errorf("a place the document does not have is quoted: %q", got.Source)
	}
}

func TestTheTerminalIsColouredByUsAlone(t *testing.T) {
	t.Parallel()
	evil := "\x1b[32mvalid\x1b[0m\u202e"
	ms := Mistakes{{Code: "P001", Pos: Pos{evil + ".yaml", 1, 1}, Width: 1, What: evil, Why: evil, Hint: evil, Source: lines([]byte(evil))}}
	var plain, coloured strings.Builder
	must(t, ms.Render(&plain, false))
	must(t, ms.Render(&coloured, true))
	if strings.ContainsAny(plain.String(), "\x1b\u202e") {
		t.Errorf("a file reaches the terminal: %q", plain.String())
	}
	if strings.Contains(coloured.String(), "\x1b[32m") || !strings.Contains(coloured.String(), "\x1b[1;31merror[P001]") {
		t.Errorf("the colours are not ours: %q", coloured.String())
	}
}

func TestALongLineIsCutAroundTheCaret(t *testing.T) {
	t.Parallel()
	for _, column := range []int{1, 60, 119, 120, 121, 5000, 9999, 10001, 1 << 30, -1} {
		line := []rune(strings.Repeat("é", 10000))
		if column >= 1 && column <= len(line) {
			line[column-1] = '!'
		}
		text, col, width := window(string(line), column, 1<<20)
		shown := []rune(text)
		if len(shown) > sourceShown+2 || col < 1 || col > len(shown)+1 || width < 1 || col-1+width > len(shown)+1 {
			t.Errorf("column %d: %d characters, caret at %d, %d wide", column, len(shown), col, width)
		}
		if column >= 1 && column <= len(line) && shown[col-1] != '!' {
			t.Errorf("column %d: the caret is under %q", column, shown[col-1])
		}
	}
}

func TestJoinMergesWhateverFoundTheMistakes(t *testing.T) {
	t.Parallel()
	a, b := At(Pos{"a.yaml", 9, 1}, "P040", "later", ""), At(Pos{"a.yaml", 2, 1}, "P041", "earlier", "")
	err := Join(nil, a, Mistakes{b, a}, errors.New("no place"))
	ms, ok := errors.AsType[Mistakes](err)
	if !ok || len(ms) != 3 || ms[0].What != "no place" || ms[1].What != "earlier" || ms[2].What != "later" {
		t.Errorf("%v", err)
	}
	if err := Join(nil, nil); err != nil {
		t.Errorf("nothing wrong is %v", err)
	}
}

func TestWhatWasMeant(t *testing.T) {
	t.Parallel()
	known := []string{"limits", "waf", "timeout", "authenticate"}
	for wrong, want := range map[string]string{
		"limts": "limits", "limit": "limits", "wfa": "waf", "timeuot": "timeout", "authentication": "authenticate",
		"colour": "", "x": "", strings.Repeat("limits", 20): "",
	} {
		got := didYouMean(wrong, known)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q suggests %q, want %q", wrong, got, want)
		}
	}
}
