package waf

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// probeTries is how often the form probe asks. Built without the tag, the
// engine keeps one of two names that differ only in case, by Go's map order, so
// that each try shows it with a chance of one half or more.
const probeTries = 24

// attack is recognised at every paranoia level, and critical is the score that
// a recognised attack has at least.
const (
	attack   = "1' OR '1'='1' UNION SELECT name, password FROM users-- -"
	critical = 5
)

// multipartOf is a multipart form of one part.
func multipartOf(names, content string) string {
	return "--probe\r\nContent-Disposition: form-data; " + names + "\r\n\r\n" + content + "\r\n--probe--\r\n"
}

const multipartMedia = "multipart/form-data; boundary=probe"

const formMedia, jsonMedia = "application/x-www-form-urlencoded", "application/json"

// probe proves that the rules as loaded work.
func (i *Inspector) probe() error {
	return probe(i.profile, func(r *http.Request, body string) (int, error) {
		found, err := i.ask(r, body)
		if i.stoppedByPatch(found) {
			return max(found.Score, critical), err // before the scores were added up
		}
		return found.Score, err
	})
}

// ask inspects a request of our own, and tells all that matched.
func (i *Inspector) ask(r *http.Request, body string) (finding, error) {
	s, err := i.own(r, body)
	if err != nil {
		return finding{}, err
	}
	return i.inspect(r.Context(), s, math.MaxInt32)
}

// own is a request of our own as it is inspected. The error says by which bound
// it is refused.
func (i *Inspector) own(r *http.Request, body string) (*subject, error) {
	tx := &pipeline.Transaction{Request: r, Host: r.Host, Path: r.URL.EscapedPath(), Source: netip.IPv6Loopback(), ID: "probe"}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	f, err := i.profile.bounded(tx, []byte(body))
	if err != nil {
		return nil, err
	}
	s := new(subject)
	s.take(tx, []byte(body), f)
	return s, nil
}

// probe asks evaluate, which tells the score of a request, about requests whose
// score is known. It asks for scores and not for denials, so that a policy may
// set its thresholds as high as it likes. The error says what is wrong.
func probe(p Profile, evaluate func(r *http.Request, body string) (score int, err error)) error {
	ask := func(query, media, body string) (int, error) {
		r := probeRequest(query, media, body)
		score, err := evaluate(r, body)
		if err != nil {
			return 0, fmt.Errorf("probing the WAF profile %q: %w", p.Name, err)
		}
		return score, nil
	}
	score, err := ask("", "", "")
	if err != nil {
		return err
	}
	if score >= p.Inbound {
		return fmt.Errorf("the WAF profile %q denies a plain GET / with a score of %d; raise threshold.inbound or lower paranoia.blocking",
			p.Name, score)
	}
	escaped, formats := url.QueryEscape(attack), orDefault(p.Formats, JSON|Form)
	for _, probe := range []struct {
		of                        Formats
		where, query, media, body string
	}{
		{allFormats, "the query", "q=" + escaped, "", ""},
		{JSON, "a JSON body", "", jsonMedia, `{"q":"` + attack + `"}`},
		{Form, "a form", "", formMedia, "q=" + escaped},
		{Multipart, "a multipart form", "", multipartMedia, multipartOf(`name="q"`, attack)},
		{Multipart, "the name of a file", "", multipartMedia, multipartOf(`name="q"; filename="../../../etc/passwd"`, "text")},
		{XML, "an XML document", "", "application/xml", "<q>" + attack + "</q>"},
	} {
		if formats&probe.of == 0 {
			continue
		}
		if score, err := ask(probe.query, probe.media, probe.body); err != nil {
			return err
		} else if score < critical {
			return fmt.Errorf("the WAF profile %q does not see an attack in %s; the rules in this binary are incomplete",
				p.Name, probe.where)
		}
	}
	for n := range probeTries {
		if formats&Form == 0 {
			break
		}
		name := strings.Repeat("q", n+1)
		if score, err := ask("", formMedia, name+"="+escaped+"&"+strings.ToUpper(name)+"=1"); err != nil {
			return err
		} else if score < critical {
			return fmt.Errorf("form names that differ only in case hide an attack from the WAF profile %q: this binary was built "+
				"without the tag it needs; build it with go build -tags coraza.rule.case_sensitive_args_keys", p.Name)
		}
	}
	return nil
}

// probeRequest is a request that nothing but the probe's text makes suspicious.
func probeRequest(query, media, body string) *http.Request {
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "localhost",
		URL:    &url.URL{Path: "/", RawQuery: query},
		Header: http.Header{"User-Agent": {"Mozilla/5.0 (probe)"}, "Accept": {"*/*"}},
	}
	if body != "" {
		r.Method, r.ContentLength = http.MethodPost, int64(len(body))
		r.Header["Content-Type"] = []string{media}
	}
	return r
}
