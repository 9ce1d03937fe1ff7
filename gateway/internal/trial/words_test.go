package trial

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsAreThoseOfAShell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"spaces and tabs separate":               {"a  b\tc", []string{"a", "b", "c"}},
		"single quotes keep everything":          {`'a "b" $c \d'`, []string{`a "b" $c \d`}},
		"double quotes keep spaces":              {`"a b"c`, []string{"a bc"}},
		"double quotes and backslashes":          {`"a \"b\" \\ \n \$x"`, []string{`a "b" \ \n $x`}},
		"a price in double quotes is no name":    {`"5$ $5"`, []string{"5$ $5"}},
		"ANSI-C quotes, as browsers copy":        {`$'it\'s \u00e9\x41\n'`, []string{"it's éA\n"}},
		"an empty word is a word":                {`a '' b`, []string{"a", "", "b"}},
		"a backslash and a new line go on":       {"a \\\n  b", []string{"a", "b"}},
		"of Windows line ends too":               {"a \\\r\n  b", []string{"a", "b"}},
		"a new line ends the command":            {"a b\nc d", []string{"a", "b"}},
		"but not before it has begun":            {"\n\n a", []string{"a"}},
		"a pipe ends it":                         {"a b | jq .", []string{"a", "b"}},
		"so does a semicolon, and an ampersand":  {"a b; c & d", []string{"a", "b"}},
		"redirections are left out":              {"a 2>/dev/null >out b <in c>>x d 2>&1", []string{"a", "b", "c", "d"}},
		"a comment is no word":                   {"a # b c", []string{"a"}},
		"a mark within a word is no comment":     {"a#b", []string{"a#b"}},
		"a lone dollar is a prompt":              {"$ curl x", []string{"$", "curl", "x"}},
		"quotes end in the midst of a word":      {`a'b'"c"\ d`, []string{"abc d"}},
		"nothing is nothing":                     {"  \n ", nil},
		"an escape in ANSI-C quotes of any kind": {`$'\e[1m\"\?\101'`, []string{"\x1b[1m\"?A"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := words(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatOnlyAShellKnowsIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a variable":                       {`curl -H "Authorization: Bearer $TOKEN"`, "$TOKEN"},
		"one outside of quotes":            {`curl $URL`, "$URL"},
		"one in braces":                    {`curl "${URL}/x"`, "${URL}/x"},
		"a command":                        {`curl "$(cat x)"`, "$(cat"},
		"a command of the old kind":        {"curl `cat x`", "`cat"},
		"a quote without its end":          {"curl 'a", "not closed"},
		"a double quote without its end":   {`curl "a`, "not closed"},
		"one that ends with a backslash":   {`curl "a\`, "not closed"},
		"a quote of ANSI C without an end": {`curl $'a`, "not closed"},
		"an escape nobody knows":           {`curl $'\q'`, "not understood"},
		"a backslash at the end":           {`curl a\`, "backslash"},
		"too many words":                   {strings.Repeat("a ", wordsMost+1), "more than 1000 words"},
		"too long a text":                  {strings.Repeat("a", commandMost+1), "longer than"},
		"a text in another encoding":       {"curl \xff", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := words(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("words %q, error %v, want one with %q", got, err, c.want)
			}
		})
	}
}
