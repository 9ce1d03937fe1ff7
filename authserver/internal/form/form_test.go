package form_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"portcullis/authserver/internal/form"
)

func rules() form.Rules {
	return form.Rules{Known: []string{"email", "token", "resource"}, Repeatable: []string{"resource"}, Most: 8}
}

func TestAFormThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"a parameter twice":                 {"email=a&email=b", form.ErrTwice},
		"a parameter twice, once encoded":   {"email=a&%65mail=b", form.ErrTwice},
		"a parameter twice, first empty":    {"email=&email=b", form.ErrTwice},
		"an unknown parameter twice":        {"foo=a&foo=b", form.ErrTwice},
		"a name in another case":            {"Email=a", form.ErrCase},
		"a name whose letters fold":         {"to\u212aen=a", form.ErrCase},
		"a semicolon":                       {"email=a;token=b", form.ErrSemicolon},
		"broken percent-encoding":           {"email=%zz", form.ErrEncoding},
		"a name without letters":            {"=a", form.ErrNoName},
		"an empty pair":                     {"email=a&&token=b", form.ErrNoName},
		"a NUL":                             {"email=a%00", form.ErrControl},
		"a line break":                      {"email=a%0d%0aBcc:%20all", form.ErrControl},
		"bytes that are no UTF-8":           {"email=%ff", form.ErrControl},
		"more parameters than anyone needs": {strings.Repeat("resource=a&", 9), form.ErrTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := form.Parse(c.text, rules()); !errors.Is(err, c.want) {
				t.Errorf("%q is read as %v, %v; want %v", c.text, v, err, c.want)
			}
		})
	}
}

func TestWhatIsEmptyIsAbsentAndWhatMayRepeatKeepsItsOrder(t *testing.T) {
	t.Parallel()
	v, err := form.Parse("email=&token=a+b%2B&resource=2&resource=1&other=x", rules())
	if err != nil {
		t.Fatal(err)
	}
	if _, there := v["email"]; there || v.Get("email") != "" || v.Get("token") != "a b+" || !slices.Equal(v["resource"], []string{"2", "1"}) {
		t.Errorf("it is read as %v", v)
	}
}

// FuzzParse compares with the standard library's lenient parser: what we
// accept, it reads in the same way.
func FuzzParse(f *testing.F) {
	f.Add("email=a&token=b&resource=c&resource=")
	f.Add("email=a&%65mail=b;&=%00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := form.Parse(text, rules())
		if err != nil {
			return
		}
		std, err := url.ParseQuery(text)
		if err != nil {
			t.Fatalf("%q is accepted, but not by the standard library: %v", text, err)
		}
		for name, values := range std {
			values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
			if len(values) > 1 && name != "resource" || !slices.Equal(values, got[name]) {
				t.Fatalf("%q: %s is %q, the standard library reads %q", text, name, got[name], values)
			}
		}
	})
}
