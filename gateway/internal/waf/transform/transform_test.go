package transform

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// names are the transformations of a set, in order.
func (s *Set) names() []string {
	var all []string
	for name := range s.byName {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func newSet(t testing.TB) *Set {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func address(s string) *byte { return unsafe.StringData(s) }

// pieces are what transformations look for, and what is near it.
var pieces = []string{
	"a", "Z", "0", "f", "/", "//", "/./", "/../", "..", ".", "\\", "\\\\", "\\u", "\\u00", "\\u0041", "\\uff21", "\\uFF5F", "\\uff5e", "\\uff00", "\\u{41}", "\\u{0ff01}", "\\u{1234567}", "\\x", "\\x4", "\\x41", "\\X41",
	"\\0", "\\47", "\\377", "\\477", "\\8", "\\n", "\\a", "\\'", "\\?", "\\\n", "\\41 ", "\\ff01", "\\000000", "%", "%4", "%41", "%u", "%u00", "%u0041", "%U0041", "%uff21", "%u00e9", "%u2215", "%ufffd", "+", "&", "&lt;", "&lt",
	"&#60;", "&#x3c", "&#0;", "&notin;", "&amp;amp;", "\x00", "é", "ſ", "K", "İ", "\u00a0", "\u0085", "\u3000", "\xa0", "\xff", "\xc0\xaf", "\xed\xa0\x80", "😀", "/*", "*/", "<!--", "-->", "--", "#", " ", "  ", "\t", "\r\n", "\v", "\f",
	"\"", "'", "^", ",", ";", "(", ":", "C:", "a:b", ". ", " .", "QUJD", "QQ==", "Q-", "select", "SELECT",
}

func random(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(9) {
		if r.IntN(8) == 0 {
			b.WriteByte(byte(r.IntN(256)))
		} else {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
	}
	return b.String()
}

// TestEachIsTheEnginesOwn compares results, and that a value without a trigger
// is left as it is, at its own address.
func TestEachIsTheEnginesOwn(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	for _, name := range set.names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decode, err := engineChain(name)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			var arena Arena
			f := set.Find(name)
			for range rounds {
				in := random(r)
				compare(t, f, &arena, in, decode)
				if arena.Reset(); t.Failed() {
					return
				}
			}
			for c := range 256 {
				compare(t, f, &arena, string([]byte{byte(c)}), decode)
			}
			for _, in := range pieces {
				compare(t, f, &arena, in, decode)
			}
		})
	}
}

func compare(t *testing.T, f *Transformation, a *Arena, in string, decode func(string) (string, error)) {
	t.Helper()
	want, err := decode(in)
	if err != nil {
		t.Fatal(err)
	}
	got := f.Apply(a, in)
	if got != want {
		t.Errorf("%s(%q) = %q, the engine has %q", f.Name, in, got, want)
	}
	if got == in && address(got) != address(in) && in != "" && f.Trigger&always == 0 {
		t.Errorf("%s(%q) made a copy of what it did not change", f.Name, in)
	}
	if !f.Touches(SignsOf(in)) && got != in {
		t.Errorf("%s changes %q, which has none of its signs", f.Name, in)
	}
}

// TestChainsAreTheEnginesOwn: what one leaves, the next reads.
func TestChainsAreTheEnginesOwn(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	for _, chain := range [][]string{
		{"utf8tounicode", "urldecodeuni", "htmlentitydecode", "jsdecode", "cssdecode"},
		{"utf8tounicode", "urldecodeuni", "htmlentitydecode", "jsdecode", "cssdecode", "removenulls"},
		{"urldecodeuni", "jsdecode", "removewhitespace", "base64decode", "urldecodeuni", "cmdline", "normalizepath"},
		{"escapeseqdecode", "normalizepathwin", "compresswhitespace", "replacecomments", "lowercase"},
		{"removecommentschar", "trim", "sha1", "hexencode", "length"},
	} {
		t.Run(strings.Join(chain, " then "), func(t *testing.T) {
			t.Parallel()
			decode, err := engineChain(chain...)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(11, uint64(len(chain))))
			var arena Arena
			for range rounds {
				in := random(r)
				out := in
				for _, name := range chain {
					out = set.Find(name).Apply(&arena, out)
				}
				if want, err := decode(in); err != nil || out != want {
					t.Fatalf("%q becomes %q, the engine has %q, %v", in, out, want, err)
				}
				arena.Reset()
			}
		})
	}
}

func TestValuesLiveUntilTheArenaIsReset(t *testing.T) {
	t.Parallel()
	var a Arena
	var made []string
	for i := range 5000 {
		made = append(made, a.Keep(append(a.Room(20), strings.Repeat(string(rune('a'+i%26)), 20)...)))
	}
	for i, s := range made {
		if s != strings.Repeat(string(rune('a'+i%26)), 20) {
			t.Fatalf("value %d has become %q", i, s)
		}
	}
}

func TestAnOrdinaryValueCostsNoCopy(t *testing.T) {
	set := newSet(t)
	var a Arena
	in := "late arrival, about 22:30 please"
	if n := testing.AllocsPerRun(100, func() {
		signs := SignsOf(in)
		for _, name := range []string{"urldecodeuni", "htmlentitydecode", "jsdecode", "cssdecode", "removenulls", "lowercase", "utf8tounicode", "replacecomments"} {
			if f := set.Find(name); f.Touches(signs) {
				t.Fatalf("%s is said to change it", name)
			}
		}
		set.byName["cmdline"].Apply(&a, in)
		a.Reset()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTransformations(f *testing.F) {
	set := newSet(f)
	decode := map[string]func(string) (string, error){}
	for _, name := range set.names() {
		var err error
		if decode[name], err = engineChain(name); err != nil {
			f.Fatal(err)
		}
	}
	for _, p := range pieces {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var a Arena
		for name, engine := range decode {
			compare(t, set.Find(name), &a, in, engine)
		}
	})
}
