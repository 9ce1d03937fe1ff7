package compress_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"portcullis/gateway/internal/compress"
	"portcullis/gateway/internal/pipeline"
)

// page is an answer as an upstream gives it.
type page struct {
	status int
	header http.Header
	body   string
	pieces int // in how many it comes, each flushed; 0 for one, unflushed
	broken error
	err    error
}

func (p page) Forward(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	if p.err != nil {
		return pipeline.Result{}, p.err
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.status)
	sent := 0
	if tx.Request.Method != http.MethodHead {
		pieces := max(1, p.pieces)
		for i := range pieces {
			piece := p.body[len(p.body)*i/pieces : len(p.body)*(i+1)/pieces]
			n, err := io.WriteString(w, piece)
			sent += n
			if err == nil && p.pieces > 0 {
				err = http.NewResponseController(w).Flush()
			}
			if err != nil {
				return pipeline.Result{Status: p.status, Broken: err}, nil
			}
		}
	}
	return pipeline.Result{Status: p.status, Bytes: int64(sent), Broken: p.broken}, nil
}

// given is what came of one answer, as the client sees it.
type given struct {
	*http.Response
	raw    []byte
	result pipeline.Result
}

// ask sends a request of these fields for the page, through a real server.
func ask(t *testing.T, p page, method string, fields ...string) given {
	t.Helper()
	return askFor(t, []string{"text/*", "application/json", "application/*+json"}, p, method, fields...)
}

func askFor(t *testing.T, types []string, p page, method string, fields ...string) given {
	t.Helper()
	f, err := compress.New(compress.Config{Next: p, Types: types, Pool: compress.NewPool()})
	if err != nil {
		t.Fatal(err)
	}
	var result pipeline.Result
	served := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		if r.Header.Get("X-Certificate") != "" {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
		}
		var err error
		if result, err = f.Forward(w, &pipeline.Transaction{Request: r}); err != nil {
			http.Error(w, "refused", http.StatusTeapot)
		} else if result.Broken != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = nil
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil && p.broken == nil {
		t.Fatal(err)
	}
	if err == nil && p.broken != nil {
		t.Error("an answer that broke off looks whole")
	}
	<-served
	return given{res, raw, result}
}

// text is the body as a client reads it.
func (g given) text(t *testing.T) string {
	t.Helper()
	var from io.Reader = bytes.NewReader(g.raw)
	var err error
	switch g.Header.Get("Content-Encoding") {
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(from, zstd.WithDecoderMaxWindow(8<<20)); err == nil { // what browsers take (RFC 9659)
			defer d.Close()
			from = d
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// prose is a body of about n bytes that compresses.
func prose(n int) string { return strings.Repeat("A room with a view of the harbour. ", n/35+1) }

func html(more ...string) http.Header {
	h := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = append(h[more[i]], more[i+1])
	}
	return h
}

func TestWhichCodingAClientGets(t *testing.T) {
	t.Parallel()
	body := prose(8 << 10)
	for accept, want := range map[string]string{
		"gzip":                               "gzip",
		"gzip, deflate, br":                  "gzip",
		"gzip, deflate, br, zstd":            "zstd",
		"GZIP":                               "gzip",
		"x-gzip":                             "gzip",
		"zstd;q=0.5, gzip":                   "gzip",
		"zstd;q=0.5, gzip;q=0.499":           "zstd",
		"gzip;q=0":                           "",
		"gzip;q=0.0, zstd;q=0.000":           "",
		"*":                                  "zstd",
		"*;q=0":                              "",
		"zstd;q=0, *":                        "gzip",
		"*, gzip;q=0, zstd;q=0":              "",
		"identity":                           "",
		"identity, gzip;q=0.5":               "",
		"identity;q=0.5, gzip":               "gzip",
		"identity;q=0, br":                   "", // nothing else is to be had, and to answer is better than 406
		"br, deflate":                        "",
		"gzip;q=1.001":                       "",
		"gzip;q=2":                           "",
		"gzip;q=-1":                          "",
		"gzip;q=0.0001":                      "",
		"gzip;q=abc":                         "",
		"gzip;q":                             "",
		"gzip;x=1":                           "",
		" gzip ; q=1 ":                       "gzip",
		"gzip;Q=1":                           "gzip",
		",,gzip,,":                           "gzip",
		"":                                   "",
		"gzipped":                            "",
		strings.Repeat("br,", 200) + " gzip": "", // more than anybody sends
	} {
		g := ask(t, page{status: 200, header: html(), body: body}, "GET", "Accept-Encoding", accept)
		if got := g.Header.Get("Content-Encoding"); got != want || g.text(t) != body || g.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q gets %q, want %q; %d bytes for %d, Vary %q", accept, got, want, len(g.raw), len(body), g.Header.Get("Vary"))
		} else if want != "" && (len(g.raw) > len(body)/4 || g.result.Bytes != int64(len(g.raw))) {
			t.Errorf("%q: %d bytes for %d, told as %d", accept, len(g.raw), len(body), g.result.Bytes)
		}
	}
	if g := ask(t, page{status: 200, header: html(), body: body}, "GET"); g.Header.Get("Content-Encoding") != "" || g.text(t) != body {
		t.Errorf("without Accept-Encoding: %v", g.Header)
	}
}

func TestWhatIsCompressed(t *testing.T) {
	t.Parallel()
	body := prose(8 << 10)
	with := func(status int, h http.Header) page { return page{status: status, header: h, body: body} }
	kind := func(s string) http.Header { return http.Header{"Content-Type": {s}} }
	for name, c := range map[string]struct {
		page
		fields     []string
		compressed bool
	}{
		"a page":                                    {with(200, html()), nil, true},
		"JSON":                                      {with(200, kind("application/json")), nil, true},
		"JSON of a kind":                            {with(200, kind("application/hal+json")), nil, true},
		"a type in capitals":                        {with(200, kind("Text/HTML")), nil, true},
		"a failure's text":                          {with(500, html()), nil, true},
		"what is not named":                         {with(200, kind("image/png")), nil, false},
		"what only begins like it":                  {with(200, kind("application/jsonx")), nil, false},
		"what has no type":                          {with(200, nil), nil, false},
		"what has two":                              {with(200, http.Header{"Content-Type": {"text/html", "image/png"}}), nil, false},
		"what is encoded already":                   {with(200, html("Content-Encoding", "br")), nil, false},
		"what is said to be as it is":               {with(200, html("Content-Encoding", "identity")), nil, false},
		"what must not be transformed":              {with(200, html("Cache-Control", "max-age=5, No-Transform")), nil, false},
		"what the client wants not transformed":     {with(200, html()), []string{"Cache-Control", "no-transform"}, false},
		"what sets a cookie":                        {with(200, html("Set-Cookie", "s=secret")), nil, false},
		"what has a digest":                         {with(200, html("Repr-Digest", "sha-256=:a:")), nil, false},
		"what has an old digest":                    {with(200, html("Content-Md5", "a")), nil, false},
		"what is signed":                            {with(200, html("Signature", "a")), nil, false},
		"what is short":                             {with(200, html("Content-Length", "1023")), nil, false},
		"what is a part":                            {with(206, html("Content-Range", "bytes 0-1/2")), nil, false},
		"all, where a part was asked for":           {with(200, html()), []string{"Range", "bytes=0-"}, false},
		"with a cookie, nobody knows who asked":     {with(200, html()), []string{"Cookie", "s=1"}, false},
		"with a cookie, a page of another site":     {with(200, html()), []string{"Cookie", "s=1", "Sec-Fetch-Site", "cross-site"}, false},
		"with a cookie, a page of a sister site":    {with(200, html()), []string{"Cookie", "s=1", "Sec-Fetch-Site", "same-site"}, false},
		"with a cookie, both said":                  {with(200, html()), []string{"Cookie", "s=1", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, false},
		"with a cookie, a page of ours":             {with(200, html()), []string{"Cookie", "s=1", "Sec-Fetch-Site", "same-origin"}, true},
		"with a cookie, a person who typed":         {with(200, html()), []string{"Cookie", "s=1", "Sec-Fetch-Site", "none"}, true},
		"with a certificate, a page of another":     {with(200, html()), []string{"X-Certificate", "1", "Sec-Fetch-Site", "cross-site"}, false},
		"with a certificate, a page of ours":        {with(200, html()), []string{"X-Certificate", "1", "Sec-Fetch-Site", "same-origin"}, true},
		"without credentials, a page of another":    {with(200, html()), []string{"Sec-Fetch-Site", "cross-site"}, true},
		"a token, which only a program sends":       {with(200, html()), []string{"Authorization", "Bearer x"}, true},
		"calls of gRPC, whatever the policy allows": {with(200, kind("application/grpc+json")), nil, false},
	} {
		if c.header != nil && c.header["Content-Length"] != nil {
			c.body = body[:1023]
		}
		g := ask(t, c.page, "GET", append(c.fields, "Accept-Encoding", "gzip")...)
		if got := g.Header.Get("Content-Encoding") == "gzip"; got != c.compressed {
			t.Errorf("%s: compressed %v, want %v: %v", name, got, c.compressed, g.Header)
		}
		if c.header["Content-Encoding"] == nil && g.text(t) != c.body {
			t.Errorf("%s: another body arrives", name)
		}
	}
}

func TestTheHeadOfACompressedAnswer(t *testing.T) {
	t.Parallel()
	body := prose(4 << 10)
	shared := []string{"Origin"}
	whole := html("Content-Length", fmt.Sprint(len(body)), "Etag", `"v1"`, "Accept-Ranges", "bytes", "Last-Modified", "Thu, 26 Nov 2026 07:00:00 GMT")
	whole["Vary"] = shared[:1:1]
	get := ask(t, page{status: 200, header: whole, body: body}, "GET", "Accept-Encoding", "gzip")
	head := ask(t, page{status: 200, header: whole, body: body}, "HEAD", "Accept-Encoding", "gzip")
	for name, want := range map[string]string{
		"Content-Encoding": "gzip", "Etag": `W/"v1"`, "Accept-Ranges": "", "Last-Modified": whole.Get("Last-Modified"), "Content-Type": "text/html; charset=utf-8",
	} {
		if get.Header.Get(name) != want || head.Header.Get(name) != want {
			t.Errorf("%s is %q, of HEAD %q; want %q", name, get.Header.Get(name), head.Header.Get(name), want)
		}
	}
	if got := strings.Join(get.Header["Vary"], ", "); got != "Origin, Accept-Encoding" || len(shared) != 1 {
		t.Errorf("Vary %q", got)
	}
	if head.Header.Get("Content-Length") != "" || len(head.raw) != 0 {
		t.Errorf("HEAD tells the length of something else: %v", head.Header)
	}
	if get.text(t) != body {
		t.Error("another body arrives")
	}
	for name, c := range map[string]struct{ says, want string }{
		"a weak tag stays":          {`W/"v1"`, `W/"v1"`},
		"what is no tag stays":      {`v1`, `v1`},
		"a star is told to nobody":  {`*`, `*`},
		"no tag is made up of none": {``, ``},
	} {
		h := html()
		if c.says != "" {
			h["Etag"] = []string{c.says}
		}
		if got := ask(t, page{status: 200, header: h, body: body}, "GET", "Accept-Encoding", "gzip").Header.Get("Etag"); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := ask(t, page{status: 200, header: html("Vary", "*"), body: body}, "GET", "Accept-Encoding", "gzip").Header["Vary"]; len(got) != 1 {
		t.Errorf("Vary %q", got)
	}
}

// TestAnswersWithoutABodyStayWithoutOne: gzip of nothing is twenty bytes.
func TestAnswersWithoutABodyStayWithoutOne(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 304} {
		g := ask(t, page{status: status, header: html("Etag", `"v1"`)}, "GET", "Accept-Encoding", "gzip")
		if g.StatusCode != status || len(g.raw) > 0 || g.Header.Get("Content-Encoding") != "" {
			t.Errorf("%d: %v %q", status, g.Header, g.raw)
		}
		// A cache takes 304 to be about what it has, which is what 200 said.
		if want := map[int]string{204: `"v1"`, 304: `W/"v1"`}[status]; g.Header.Get("Etag") != want {
			t.Errorf("%d: the tag is %q, want %q", status, g.Header.Get("Etag"), want)
		}
	}
	if g := ask(t, page{status: 200, header: html(), pieces: 1}, "GET", "Accept-Encoding", "zstd"); g.text(t) != "" {
		t.Errorf("%q", g.raw)
	}
}

// TestAnEventArrivesBeforeTheNextIsSent reads an event stream while it is made.
func TestAnEventArrivesBeforeTheNextIsSent(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "zstd"} {
		next := make(chan struct{})
		events := forward(func(w http.ResponseWriter, _ *pipeline.Transaction) (pipeline.Result, error) {
			w.Header()["Content-Type"] = []string{"text/event-stream"}
			w.WriteHeader(200)
			for i := range 5 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				if err := http.NewResponseController(w).Flush(); err != nil {
					return pipeline.Result{Broken: err}, nil
				}
				<-next
			}
			return pipeline.Result{Status: 200}, nil
		})
		f, err := compress.New(compress.Config{Next: events, Types: []string{"text/event-stream"}, Pool: compress.NewPool()})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = f.Forward(w, &pipeline.Transaction{Request: r})
		}))
		t.Cleanup(server.Close)
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", coding)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var from io.Reader
		if coding == "gzip" {
			from, err = gzip.NewReader(res.Body)
		} else {
			from, err = zstd.NewReader(res.Body, zstd.WithDecoderConcurrency(1))
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			event := make([]byte, len("data: 0\n\n"))
			if _, err := io.ReadFull(from, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
				t.Fatalf("%s: event %d is %q, %v", coding, i, event, err)
			}
			next <- struct{}{}
		}
		if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
			t.Errorf("%s ends with %q, %v", coding, rest, err)
		}
		_ = res.Body.Close()
	}
}

type forward func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error)

func (f forward) Forward(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	return f(w, tx)
}

func TestWhatBreaksOffDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "zstd"} {
		ask(t, page{status: 200, header: html(), body: prose(64 << 10), pieces: 4, broken: errors.New("the upstream is gone")}, "GET", "Accept-Encoding", coding)
	}
	g := ask(t, page{err: errors.New("no endpoint")}, "GET", "Accept-Encoding", "gzip")
	if g.StatusCode != http.StatusTeapot || g.text(t) != "refused\n" || g.Header.Get("Vary") != "" {
		t.Errorf("a refusal becomes %d %q %v", g.StatusCode, g.raw, g.Header)
	}
}

func TestMediaTypesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"json", "Text/html", "*/*", "application/*json", "text/html; charset=utf-8", "a/b/c", "/b", "*", "text/*+a*"} {
		if _, err := compress.New(compress.Config{Next: page{}, Types: []string{s}, Pool: compress.NewPool()}); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
