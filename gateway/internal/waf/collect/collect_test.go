package collect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types/variables"

	"portcullis/gateway/internal/waf/transform"
)

const args, depth = 40, 8

// engine shows every value of a request that rules would see.
type engine struct{ waf coraza.WAF }

func newEngine(t testing.TB) engine {
	t.Helper()
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(fmt.Sprintf(`SecRuleEngine On
SecRequestBodyAccess On
SecArgumentsLimit %d
SecRequestBodyJsonDepthLimit %d
SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@beginsWith text/xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
`, args, depth)))
	if err != nil {
		t.Fatal(err)
	}
	return engine{waf}
}

// sent is one request.
type sent struct {
	head Head
	body string
}

// sees lists what the engine sees, and whether it could read the body.
func (e engine) sees(t testing.TB, r sent) (all []string, readable bool) {
	t.Helper()
	tx := e.waf.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection(r.head.Source, 0, "", 0)
	tx.ProcessURI(r.head.Target, r.head.Method, r.head.Proto)
	for _, f := range r.head.Fields {
		tx.AddRequestHeader(f.Name, f.Value)
	}
	tx.ProcessRequestHeaders()
	if _, _, err := tx.WriteRequestBody([]byte(r.body)); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		t.Fatal(err)
	}
	state := tx.(plugintypes.TransactionState).Variables()
	state.All(func(v variables.RuleVariable, c collection.Collection) bool {
		if !filled(v.Name()) {
			return true
		}
		for _, d := range c.FindAll() {
			all = append(all, told(v.Name(), d.Key(), d.Value()))
		}
		return true
	})
	return all, state.RequestBodyError().Get() != "1" && state.MultipartStrictError().Get() != "1" && state.ArgumentsLimitReached().Get() != "1"
}

// filled reports whether we claim to tell of a variable. The engine's choice of
// a body's reader is a rule's, hence the caller's.
func filled(name string) bool {
	for v := range Variables {
		if v.String() == name && v != BodyProcessor {
			return true
		}
	}
	return false
}

func told(variable, name, value string) string {
	if strings.HasPrefix(variable, "REQUEST_HEADERS") || strings.HasPrefix(variable, "REQUEST_COOKIES") {
		name = strings.ToLower(name)
	}
	return fmt.Sprintf("%s:%q=%q", variable, name, value)
}

// record is a sink that remembers.
type record struct{ all []string }

func (r *record) Value(v Variable, name, value string) bool {
	r.all = append(r.all, told(v.String(), name, value))
	return true
}

// walk tells of a request as the engine's rules would have it read.
func walk(r sent) ([]string, error) {
	var seen record
	w := New(new(transform.Arena), Bounds{Args: args, Depth: depth})
	err := w.Head(&r.head, &seen)
	media := ""
	for _, f := range r.head.Fields {
		if strings.EqualFold(f.Name, "Content-Type") {
			media = f.Value
		}
	}
	switch {
	case err != nil || r.body == "":
	case strings.HasPrefix(media, "application/json"):
		err = w.JSON(r.body, &seen)
	case strings.HasPrefix(media, "application/x-www-form-urlencoded"):
		err = w.Form(r.body, &seen)
	case strings.HasPrefix(media, "multipart/form-data"):
		err = w.Multipart(r.body, media, &seen)
	case strings.HasPrefix(media, "text/xml"):
		err = w.XML(r.body, &seen)
	}
	return seen.all, err
}

// empty are the values of single variables that nobody has filled: the engine
// shows them all the same, and whoever walks has to know.
func empty(s string) bool {
	return strings.HasSuffix(s, `:""=""`) || s == `REQUEST_BODY_LENGTH:""="0"` || s == `FILES_COMBINED_SIZE:""="0"`
}

// compare fails when the engine sees what was not told, or the other way round,
// of a request that both could read.
func (e engine) compare(t testing.TB, r sent) (read bool) {
	t.Helper()
	got, err := walk(r)
	want, readable := e.sees(t, r)
	if err != nil {
		return false
	}
	if !readable {
		t.Errorf("was told of %+v, which the engine could not read", r)
		return false
	}
	got, want = settled(got), settled(want)
	if !slices.Equal(got, want) {
		t.Errorf("of %+v\nwas told of %q,\nthe engine sees %q", r, missing(got, want), missing(want, got))
	}
	return true
}

func settled(all []string) []string {
	all = slices.DeleteFunc(slices.Clone(all), empty)
	slices.Sort(all)
	return all
}

// missing are those of a that b does not have.
func missing(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func head(target string, fields ...string) Head {
	h := Head{Method: "POST", Target: target, Proto: "HTTP/1.1", Source: "192.0.2.1"}
	for i := 0; i < len(fields); i += 2 {
		h.Fields = append(h.Fields, Field{fields[i], fields[i+1]})
	}
	return h
}

func TestWhatTheEngineSeesIsTold(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	const json, form, xml = "application/json", "application/x-www-form-urlencoded", "text/xml"
	for name, r := range map[string]sent{
		"a plain target":                           {head("/v1/hotels"), ""},
		"a query":                                  {head("/v1/hotels?city=Hel%73inki&from=2027-01-10&&x&=y&city=a+b&b=%zz%4"), ""},
		"an escaped path":                          {head("/caf%C3%A9/a%20b?q=%C3%A9"), ""},
		"a path that ends in a slash":              {head("/a/b/"), ""},
		"two slashes in front":                     {head("//a/b?x=1"), ""},
		"a question mark and nothing":              {head("/a?"), ""},
		"characters that net/url writes otherwise": {head("/a'(b)!*[c]^|`{d}?x='(y)"), ""},
		"names that differ only in case":           {head("/?q=1&Q=2"), ""},
		"header fields twice and in any case":      {head("/", "Host", "localhost", "X-A", "1", "x-a", "2", "Accept", ""), ""},
		"cookies":                                  {head("/", "Cookie", "a=1; b = 2 ;; =c; d; \x01e=f=g;", "cookie", "A=%41"), ""},
		"a form":                                   {head("/", "Content-Type", form), "a=1&a=2&B=%C3%A9+x&=e&f&&g=%"},
		"a JSON object":                            {head("/", "Content-Type", json), `{"a": {"b": [1, "two", null, true, [], {}]}, "A": "x", "a.b": -0.5e+3, "": "empty name", "n": false}`},
		"JSON escapes":                             {head("/", "Content-Type", json), `["\u0041\n\"\\\/\b\f\r\t", "\ud83d\ude00", "\ud83d", "\ud83dx", "\udc00\u0041", "\ud83d\u0041", "é"]`},
		"a JSON scalar":                            {head("/", "Content-Type", json), ` "alone" `},
		"a JSON null":                              {head("/", "Content-Type", json), `null`},
		"JSON members twice":                       {head("/", "Content-Type", json), `{"a":1,"a":2,"a":[3,3]}`},
		"JSON as deep as may be":                   {head("/", "Content-Type", json), strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth)},
		"XML":                                      {head("/", "Content-Type", xml), `<?xml version="1.0"?><a x="1" y='&lt;'> text &amp; more <b>in<!-- no --></b><c><![CDATA[<raw>]]></c></a>`},
		"a multipart form":                         {head("/", "Content-Type", "multipart/form-data; boundary=b"), "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\nthere\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nfile text\r\n--b--\r\n"},
		"a multipart form without a part":          {head("/", "Content-Type", "multipart/form-data; boundary=b"), "--b--"},
		"parts of one name, and names without quotes":      {head("/", "Content-Type", `multipart/form-data; charset=UTF-8; boundary="b"`), "--b\r\ncontent-disposition: form-data; name=q\r\n\r\n1\r\n--b\r\nX-note-1:  x \r\nContent-Disposition: form-data;name=\"Q\";filename=\"\"\r\ncontent-type: text/plain;charset=utf-8\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; filename=\"é 50%.txt\"; name=\"q\"\r\n\r\n\x00\n-b\r\n\r\n\r\n--b--\r\n"},
		"XML with line ends, references and names of HTML": {head("/", "Content-Type", xml), "<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\r\n<!-- c -->\n<a:b xmlns:a=\"urn:x\" c = '\r\n&#13;&#x20;&apos;&quot;'\r\n><br/><link></link><IMG src='x'/>\ttext\rmore&#10;\u00a0<x\n/><y><![CDATA[ &amp;]]]]></y ></a:b>\n<!---->\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !e.compare(t, r) {
				_, err := walk(r)
				t.Errorf("left to the engine: %v", err)
			}
		})
	}
}

func TestWhatCouldBeReadOtherwiseIsLeftToTheEngine(t *testing.T) {
	t.Parallel()
	const json, part = "application/json", "multipart/form-data; boundary=b"
	for name, c := range map[string]struct {
		r    sent
		want error
	}{
		"a target with a control character":  {sent{head("/a\x01"), ""}, ErrTarget},
		"a target that is no path":           {sent{head("a b"), ""}, ErrTarget},
		"a field without a name":             {sent{head("/", "", "x"), ""}, ErrField},
		"more arguments than the bound":      {sent{head("/?" + strings.Repeat("a=1&", args+1)), ""}, ErrArgs},
		"more leaves than the bound":         {sent{head("/", "Content-Type", json), "[" + strings.Repeat("1,", args) + "1]"}, ErrArgs},
		"more arrays than the bound":         {sent{head("/", "Content-Type", json), "[[" + strings.Repeat("[1],", args) + "[1]]]"}, ErrArgs},
		"JSON that is nested too deeply":     {sent{head("/", "Content-Type", json), strings.Repeat("[", depth+1) + strings.Repeat("]", depth+1)}, ErrJSON},
		"names that add up":                  {sent{head("/", "Content-Type", json), `{"` + strings.Repeat("n", 3000) + `":[` + strings.TrimSuffix(strings.Repeat("1,", 30), ",") + `]}`}, ErrArgs},
		"JSON that goes on":                  {sent{head("/", "Content-Type", json), `{} {}`}, ErrJSON},
		"JSON with a comma too many":         {sent{head("/", "Content-Type", json), `[1,]`}, ErrJSON},
		"JSON with a leading zero":           {sent{head("/", "Content-Type", json), `[01]`}, ErrJSON},
		"JSON with a raw line feed":          {sent{head("/", "Content-Type", json), "[\"a\nb\"]"}, ErrJSON},
		"JSON with an escape unknown":        {sent{head("/", "Content-Type", json), `["\x41"]`}, ErrJSON},
		"JSON with an escape cut short":      {sent{head("/", "Content-Type", json), `["\u00`}, ErrJSON},
		"JSON that is cut":                   {sent{head("/", "Content-Type", json), `{"a":"b`}, ErrJSON},
		"no JSON at all":                     {sent{head("/", "Content-Type", json), `a=1`}, ErrJSON},
		"XML that ends early":                {sent{head("/", "Content-Type", "text/xml"), `<a><b>`}, ErrXML},
		"XML with a broken tag":              {sent{head("/", "Content-Type", "text/xml"), `<a <b>`}, ErrXML},
		"a multipart form that ends early":   {sent{head("/", "Content-Type", part), "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx"}, ErrMultipart},
		"a name in extended notation":        {sent{head("/", "Content-Type", part), "--b\r\nContent-Disposition: form-data; name=a; filename*=utf-8''x.php\r\n\r\nx\r\n--b--\r\n"}, ErrMultipart},
		"a disposition twice":                {sent{head("/", "Content-Type", part), "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx\r\n--b--\r\n"}, ErrMultipart},
		"a disposition that cannot be read":  {sent{head("/", "Content-Type", part), "--b\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--b--\r\n"}, ErrMultipart},
		"a multipart form without boundary":  {sent{head("/", "Content-Type", "multipart/form-data"), "x"}, ErrMultipart},
		"a multipart form with two of these": {sent{head("/", "Content-Type", "multipart/form-data; boundary=b; boundary=c"), "x"}, ErrMultipart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := walk(c.r); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestTheSinkEndsTheWalk(t *testing.T) {
	t.Parallel()
	w := New(new(transform.Arena), Bounds{Args: args, Depth: depth})
	for name, ask := range map[string]func(Sink) error{
		"in a head":     func(s Sink) error { h := head("/?a=1", "Cookie", "a=b"); return w.Head(&h, s) },
		"in a form":     func(s Sink) error { return w.Form("a=1&b=2", s) },
		"in a document": func(s Sink) error { return w.JSON(`{"a":[1,2]}`, s) },
		"in XML":        func(s Sink) error { return w.XML(`<a b="c">d</a>`, s) },
	} {
		t.Run(name, func(t *testing.T) {
			for most := 0; ; most++ {
				s := &few{most: most}
				err := ask(s)
				if s.seen > most+1 {
					t.Fatalf("told of %d after it was to end", s.seen-most)
				}
				if err == nil {
					break
				}
				if !errors.Is(err, ErrStopped) {
					t.Fatal(err)
				}
			}
		})
	}
}

// few takes so many values and no more.
type few struct{ most, seen int }

func (f *few) Value(Variable, string, string) bool { f.seen++; return f.seen <= f.most }

// TestDamagedRequestsAreToldOfRightlyOrNotAtAll mutates requests that are whole.
func TestDamagedRequestsAreToldOfRightlyOrNotAtAll(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	r := rand.New(rand.NewPCG(3, 5))
	read := 0
	for range rounds {
		if e.compare(t, damaged(r)) {
			read++
		}
		if t.Failed() {
			return
		}
	}
	if read < rounds/3 {
		t.Errorf("only %d of %d requests were told of: the mutations are too wild to show anything", read, rounds)
	}
}

var whole = []struct{ media, body string }{
	{"application/json", `{"hotel":"h-1","note":"two \"beds\" é","guests":[{"name":"O'Brien","age":41},{"name":null}],"ok":true,"price":-1.5e3}`},
	{"application/json", `["\ud83d\ude00",["a"],{},[],{"a.b":{"c":1}},0]`},
	{"application/x-www-form-urlencoded", "hotel=h-1&note=two+beds%21&note=&=x&&A=1&a=2"},
	{"text/xml", `<a x="1" y='2'>text<b/>&amp; more<c z="&#60;">d</c></a>`},
	{"text/xml", `<?xml version="1.0"?><a:b xmlns:a="urn:x"><c d='e&#x3c;'/><!-- c --><br/><f><![CDATA[<g>]]></f>&apos;</a:b>`},
	{"multipart/form-data; boundary=bb", "--bb\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--bb\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;b.txt\"\r\n\r\nfile\r\n--bb--\r\n"},
}

var splices = []string{"\"", "\\", "\\u00", "\\ud83d", "{", "}", "[", "]", ",", ":", "&", "=", "%", "%41", "+", ";", "<", ">", "'", "\r\n", "--bb", "--", "*", "\x00", "\xff", "é", "0", "-", "e", " ", "/", "?", "#", "&lt;", "name", "filename*="}

func damaged(r *rand.Rand) sent {
	w := whole[r.IntN(len(whole))]
	mutate := func(s string) string {
		for range r.IntN(3) {
			at := r.IntN(len(s) + 1)
			switch r.IntN(3) {
			case 0:
				s = s[:at] + splices[r.IntN(len(splices))] + s[at:]
			case 1:
				end := min(len(s), at+r.IntN(4))
				s = s[:at] + s[end:]
			default:
				end := min(len(s), at+r.IntN(12))
				s = s[:end] + s[at:end] + s[end:]
			}
		}
		return s
	}
	return sent{head(mutate("/v1/h%20x/y?a=1&b=%C3%A9+z"), "Content-Type", w.media, "Cookie", mutate("a=1; b=\"2\"; c"), "User-Agent", "x"), mutate(w.body)}
}

func FuzzJSON(f *testing.F) {
	e := newEngine(f)
	for _, w := range whole[:2] {
		f.Add(w.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e.compare(t, sent{head("/", "Content-Type", "application/json"), body})
	})
}

func FuzzMultipart(f *testing.F) {
	e := newEngine(f)
	const media = "multipart/form-data; boundary=bb"
	for _, w := range whole {
		if w.media == media {
			f.Add(w.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) { e.compare(t, sent{head("/", "Content-Type", media), body}) })
}

func FuzzXML(f *testing.F) {
	e := newEngine(f)
	for _, w := range whole {
		if w.media == "text/xml" {
			f.Add(w.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) { e.compare(t, sent{head("/", "Content-Type", "text/xml"), body}) })
}

func FuzzHead(f *testing.F) {
	e := newEngine(f)
	f.Add("/a?b=c", "d=e; f")
	f.Fuzz(func(t *testing.T, target, cookie string) { e.compare(t, sent{head(target, "Cookie", cookie), ""}) })
}

// TestAnOrdinaryRequestCostsNoAllocation: the walk is on every request's way.
func TestAnOrdinaryRequestCostsNoAllocation(t *testing.T) {
	h := head("/v1/hotels?city=Helsinki&note=two+beds", "Host", "localhost", "Accept", "*/*", "Cookie", "a=1; b=2", "User-Agent", "x")
	arena := new(transform.Arena)
	w := New(arena, Bounds{Args: args, Depth: depth})
	body := `{"hotel":"h-1","note":"two \"beds\"","guests":[1,2]}`
	var s nothing
	ask := func() {
		arena.Reset()
		if err := errors.Join(w.Head(&h, &s), w.JSON(body, &s)); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type nothing struct{}

func (*nothing) Value(Variable, string, string) bool { return true }
