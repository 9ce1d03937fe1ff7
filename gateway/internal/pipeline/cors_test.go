package pipeline_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func sharing(t *testing.T, c pipeline.CORSConfig) *pipeline.CORS {
	t.Helper()
	made, err := pipeline.NewCORS(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// desk is a page's terms on a route.
var desk = pipeline.CORSConfig{
	Place: "routes/notes.yaml:7", Origins: []string{"https://app.hotel.test"}, Headers: []string{"Content-Type", "X-Trace"}, Expose: []string{"Location", "Etag"},
	Methods: []string{"GET", "PUT"}, Credentials: true, MaxAge: 10 * time.Minute,
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	open := desk
	open.Origins, open.Credentials = []string{"*"}, false
	for name, c := range map[string]struct {
		terms   pipeline.CORSConfig
		origins []string
		asked   []string
		refused string // part of why
		headers string // Access-Control-Allow-Headers
	}{
		"a listed origin is answered":                 {desk, []string{"https://app.hotel.test"}, nil, "", ""},
		"the listed fields it asks for are granted":   {desk, []string{"https://app.hotel.test"}, []string{"x-trace"}, "", "X-Trace"},
		"in whatever case and spacing":                {desk, []string{"https://app.hotel.test"}, []string{" X-TRACE ,,\tcontent-type,x-trace"}, "", "X-Trace, Content-Type"},
		"on one line or several":                      {desk, []string{"https://app.hotel.test"}, []string{"content-type", "x-trace"}, "", "Content-Type, X-Trace"},
		"a field that is not listed is refused":       {desk, []string{"https://app.hotel.test"}, []string{"content-type,x-admin"}, `"x-admin" is not listed`, ""},
		"a token is a field like others":              {desk, []string{"https://app.hotel.test"}, []string{"authorization"}, `"authorization" is not listed`, ""},
		"a wildcard asked for is a name":              {desk, []string{"https://app.hotel.test"}, []string{"*"}, `"*" is not listed`, ""},
		"a line break is quoted":                      {desk, []string{"https://app.hotel.test"}, []string{"x\r\nSet-Cookie"}, `"x\r\nSet-Cookie"`, ""},
		"another origin is refused":                   {desk, []string{"https://evil.example"}, nil, "is not listed", ""},
		"one that begins like a listed one":           {desk, []string{"https://app.hotel.test.evil.example"}, nil, "is not listed", ""},
		"one that ends like it":                       {desk, []string{"https://evilapp.hotel.test"}, nil, "is not listed", ""},
		"one below it":                                {desk, []string{"https://a.app.hotel.test"}, nil, "is not listed", ""},
		"one in the clear":                            {desk, []string{"http://app.hotel.test"}, nil, "is not listed", ""},
		"one on another port":                         {desk, []string{"https://app.hotel.test:8443"}, nil, "is not listed", ""},
		"one in capitals, which no browser sends":     {desk, []string{"https://APP.hotel.test"}, nil, "is not listed", ""},
		"one with a path":                             {desk, []string{"https://app.hotel.test/"}, nil, "is not listed", ""},
		"a sandboxed frame":                           {desk, []string{"null"}, nil, "is not listed", ""},
		"two origins are none":                        {desk, []string{"https://app.hotel.test", "https://app.hotel.test"}, nil, "is not listed", ""},
		"no origin":                                   {desk, nil, nil, "is not listed", ""},
		"every origin may where every one is listed":  {open, []string{"https://evil.example"}, []string{"x-trace"}, "", "X-Trace"},
		"but not with a field that is not":            {open, []string{"https://evil.example"}, []string{"x-admin"}, "is not listed", ""},
		"an origin of any length has a bounded error": {desk, []string{"https://" + strings.Repeat("a", 10_000)}, nil, `..." is not listed`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, got := http.Header{"Origin": c.origins, "Access-Control-Request-Headers": c.asked}, http.Header{}
			err := sharing(t, c.terms).Preflight(in, got)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || len(err.Error()) > 200 || len(got) > 0 {
					t.Errorf("answered %v, %v", got, err)
				}
				return
			}
			want := http.Header{
				"Access-Control-Allow-Origin": c.origins, "Access-Control-Allow-Methods": {"GET, PUT"}, "Access-Control-Max-Age": {"600"},
			}
			if c.headers != "" {
				want.Set("Access-Control-Allow-Headers", c.headers)
			}
			if c.terms.Credentials {
				want.Set("Access-Control-Allow-Credentials", "true")
			} else {
				want.Set("Access-Control-Allow-Origin", "*")
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestTermsThatWouldLetEveryPageIn(t *testing.T) {
	t.Parallel()
	if _, err := pipeline.NewCORS(pipeline.CORSConfig{Origins: []string{"https://app.hotel.test", "*"}, Credentials: true}); err == nil {
		t.Error("every origin with credentials was taken")
	}
	if _, err := pipeline.NewCORS(pipeline.CORSConfig{Origins: []string{"null"}}); err == nil {
		t.Error("the origin of sandboxed frames was taken")
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	upstream := http.Header{
		"Vary": {"Accept-Encoding"}, "Server": {"secret/1.0"}, "Etag": {"e"},
		"Access-Control-Allow-Origin": {"https://evil.example"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"86400"},
	}
	fields, err := pipeline.NewFields([]pipeline.Field{{Name: "Referrer-Policy", Value: "no-referrer"}}, []string{"Server"})
	if err != nil {
		t.Fatal(err)
	}
	shared, plain := &pipeline.Route{CORS: sharing(t, desk), Response: fields}, &pipeline.Route{}
	for name, c := range map[string]struct {
		route     *pipeline.Route
		origin    string
		preflight bool
		want      http.Header
	}{
		"a route that says nothing leaves all as it is": {plain, "https://evil.example", false, upstream},
		"a listed page may read": {shared, "https://app.hotel.test", false, http.Header{
			"Vary": {"Accept-Encoding", "Origin"}, "Etag": {"e"}, "Referrer-Policy": {"no-referrer"},
			"Access-Control-Allow-Origin": {"https://app.hotel.test"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"Location, Etag"},
		}},
		"another may not, whatever the upstream says": {shared, "https://evil.example", false, http.Header{
			"Vary": {"Accept-Encoding", "Origin"}, "Etag": {"e"}, "Referrer-Policy": {"no-referrer"},
		}},
		"a refused preflight says on what it depends": {shared, "https://app.hotel.test", true, http.Header{
			"Vary": {"Accept-Encoding", "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}, "Etag": {"e"}, "Referrer-Policy": {"no-referrer"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := &pipeline.Transaction{Route: c.route, Preflight: c.preflight, Request: &http.Request{Header: http.Header{"Origin": {c.origin}}}}
			h := upstream.Clone()
			for range 2 { // an answer that fails late is completed twice
				tx.Complete(h)
				if diff := cmp.Diff(c.want, h); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	if shared.Withholds("Date") || !shared.Withholds("Server") || !shared.Withholds("Referrer-Policy") || !shared.Withholds("Access-Control-Allow-Origin") {
		t.Error("trailers could say what the header may not")
	}
}

// The defaults' fields stand on what no route took.
func TestCompleteWithoutARoute(t *testing.T) {
	t.Parallel()
	fields, err := pipeline.NewFields([]pipeline.Field{{Name: "Referrer-Policy", Value: "no-referrer"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	(&pipeline.Transaction{Snapshot: &pipeline.Snapshot{Response: fields}}).Complete(h)
	(&pipeline.Transaction{}).Complete(h) // no policy is loaded
	if h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", h)
	}
}

func TestCompleteOfARouteThatSaysNothingAllocatesNothing(t *testing.T) {
	tx := &pipeline.Transaction{Route: &pipeline.Route{}, Request: &http.Request{Header: http.Header{"Origin": {"https://app.hotel.test"}}}}
	h := http.Header{"Date": {"today"}}
	if n := testing.AllocsPerRun(100, func() { tx.Complete(h) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestAPreflightIsAskedOnlyWhereItComesFrom(t *testing.T) {
	t.Parallel()
	var ran []string
	note := func(name string, err error) pipeline.Stage {
		return stage{name, func(*pipeline.Transaction) error { ran = append(ran, name); return err }}
	}
	tx := transaction(note("capacity", nil), note("source-limit", nil), note("source-limit", nil), note("authenticate", problem.New(problem.MissingToken, "")), note("source-limit", nil))
	tx.Preflight, tx.Route.CORS = true, sharing(t, desk)
	tx.Request = &http.Request{Method: http.MethodOptions, Header: http.Header{"Origin": {"https://app.hotel.test"}}}
	d := pipeline.DecidePreflight(tx)
	if diff := cmp.Diff([]string{"capacity", "source-limit", "source-limit"}, ran); d.Kind != pipeline.Allow || diff != "" {
		t.Errorf("%v: %s", d.Kind, diff)
	}
	reasons := pipeline.Explain(tx, d)
	if last := reasons[len(reasons)-1]; len(reasons) != 4 || last.Text != "cors" || last.State != pipeline.Holds || last.Place != desk.Place {
		t.Errorf("explained by %+v", reasons)
	}
	refused := pipeline.Decision{Stage: "cors", Problem: problem.New(problem.Forbidden, "").Because(problem.New(problem.NotFound, "why"))}
	if last := pipeline.Explain(tx, refused)[3]; last.State != pipeline.Fails || !strings.Contains(last.Value, "why") {
		t.Errorf("a refusal is explained by %+v", last)
	}
	flood := pipeline.Decision{Stage: "source-limit", Problem: problem.New(problem.TooManyRequests, "")}
	if last := pipeline.Explain(tx, flood)[3]; last.State != pipeline.Unasked {
		t.Errorf("a flood is explained by %+v", last)
	}
	if tree := pipeline.NewExplained(tx, flood, http.StatusTooManyRequests).Tree; len(tree) != 5 || tree[0].Text != "edge" || tree[2].Text != "source-limit" || tree[2].State != pipeline.Fails {
		t.Errorf("the tree of a flood is %+v", tree)
	}
}

func TestAWebSocketIsOpenedByListedPagesAlone(t *testing.T) {
	t.Parallel()
	listed := sharing(t, desk)
	for name, c := range map[string]struct {
		terms *pipeline.CORS
		in    http.Header
		want  bool
	}{
		"a listed page":                        {listed, http.Header{"Upgrade": {"websocket"}, "Origin": {"https://app.hotel.test"}}, true},
		"another page":                         {listed, http.Header{"Upgrade": {"websocket"}, "Origin": {"https://evil.example"}}, false},
		"a page that names two origins":        {listed, http.Header{"Upgrade": {"websocket"}, "Origin": {"https://app.hotel.test", "https://evil.example"}}, false},
		"what is no page":                      {listed, http.Header{"Upgrade": {"websocket"}}, true},
		"another page that asks for no socket": {listed, http.Header{"Origin": {"https://evil.example"}}, true},
		"a page where nothing is listed":       {nil, http.Header{"Upgrade": {"websocket"}, "Origin": {"https://evil.example"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.terms.Converses(c.in); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
