package pipeline_test

import (
	"net/url"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestQueriesThatServersReadDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw string
		ok  bool
	}{
		"the empty query passes":                  {"", true},
		"plain parameters pass":                   {"city=Helsinki&from=2027-01-10", true},
		"escapes pass":                            {"q=a%20b%26", true},
		"an escaped semicolon passes":             {"q=a%3Bb", true},
		"brackets pass":                           {"a[]=1", true},
		"a parameter twice passes":                {"a=1&a=2", true},
		"a line break in a value passes":          {"note=a%0D%0Ab", true},
		"the longest query passes":                {"q=" + strings.Repeat("a", 8190), true},
		"a longer query is refused":               {"q=" + strings.Repeat("a", 8191), false},
		"256 parameters pass":                     {strings.Repeat("&a=1", 256), true},
		"257 parameters are refused":              {strings.Repeat("&a=1", 257), false},
		"8192 separators are no parameter":        {strings.Repeat("&", 8192), true},
		"a semicolon is refused":                  {"a=1;b=2", false},
		"a broken escape is refused":              {"a=%zz", false},
		"an escape that ends early is refused":    {"a=%4", false},
		"an escape across a separator is refused": {"a=%4&1=2", false},
		"a broken escape in a name is refused":    {"%=1", false},
		"an escaped NUL is refused":               {"a=b%00c", false},
		"an escaped NUL in a name is refused":     {"a%00=b", false},
		"an overlong slash is refused":            {"a=%c0%af", false},
		"half a character is refused":             {"a=%c3", false},
		"a surrogate is refused":                  {"a=%ed%a0%80", false},
		"a name that is not UTF-8 is refused":     {"%ff=1", false},
		"a raw control character is refused":      {"a=\x01", false},
		"a raw space is refused":                  {"a=b c", false},
		"raw bytes beyond ASCII are refused":      {"a=\xc3\xa9", false},
		"a backslash is refused":                  {`a=\`, false},
		"a fragment is refused":                   {"a=1#<script>", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := &pipeline.Transaction{}
			if err := tx.ReadQuery(c.raw); (err == nil) != c.ok {
				t.Errorf("%q: %v, want ok %v", c.raw, err, c.ok)
			}
			if !c.ok && (tx.Query.Raw() != "" || len(tx.Query.Params()) != 0 && tx.Query.Raw() == c.raw) {
				t.Errorf("%q was refused and is read as %+v", c.raw, tx.Query)
			}
		})
	}
}

func TestAQueryIsReadOnce(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	if err := tx.ReadQuery("city=Turku&&c%69ty=a+b%26&near&=x&city"); err != nil {
		t.Fatal(err)
	}
	want := []pipeline.QueryParam{
		{Name: "city", Value: "Turku", Raw: "city=Turku"}, {Name: "city", Value: "a b&", Raw: "c%69ty=a+b%26"},
		{Name: "near", Raw: "near"}, {Value: "x", Raw: "=x"}, {Name: "city", Raw: "city"},
	}
	got := tx.Query.Params()
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("parameter %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if value, times := tx.Query.Get("city"); value != "Turku" || times != 3 {
		t.Errorf("city: %q, %d times", value, times)
	}
	if value, times := tx.Query.Get("absent"); value != "" || times != 0 {
		t.Errorf("absent: %q, %d times", value, times)
	}
	tx.Reset()
	if tx.Query.Raw() != "" || len(tx.Query.Params()) != 0 {
		t.Errorf("the next request has %+v", tx.Query)
	}
}

func TestReadingAPlainQueryAllocatesNothing(t *testing.T) {
	tx := &pipeline.Transaction{}
	if n := testing.AllocsPerRun(100, func() {
		tx.Reset()
		if err := tx.ReadQuery("city=Helsinki&guests=2&from=2027-01-10&to=2027-01-12"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// What is let in reads the same in Go's own parser, in every order of a name.
func FuzzReadQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=%41+b", "a;b", "%zz", "a=%00", "&&=&a", "a=%c3%a9&a", "a[]=1&a[]=2", "%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tx := &pipeline.Transaction{}
		if tx.ReadQuery(raw) != nil {
			return
		}
		want, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q was let in: %v", raw, err)
		}
		seen := map[string]int{}
		for _, p := range tx.Query.Params() {
			if values := want[p.Name]; seen[p.Name] >= len(values) || values[seen[p.Name]] != p.Value {
				t.Fatalf("%q: %q is %q to us and %q to Go", raw, p.Name, p.Value, values)
			}
			seen[p.Name]++
		}
		for name, values := range want {
			if seen[name] != len(values) {
				t.Fatalf("%q: %q stands %d times to us and %d times to Go", raw, name, seen[name], len(values))
			}
		}
	})
}

func BenchmarkReadQuery(b *testing.B) {
	tx := &pipeline.Transaction{}
	b.ReportAllocs()
	for b.Loop() {
		tx.Reset()
		if err := tx.ReadQuery("city=Helsinki&guests=2&from=2027-01-10&to=2027-01-12"); err != nil {
			b.Fatal(err)
		}
	}
}
