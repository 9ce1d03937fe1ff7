package waf

import (
	"context"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The self-test's requests: what ordinary clients send, a line each, and texts
// of attacks, each of which is put in half of the places where a request has
// room.
var (
	//go:embed selftest/ordinary.txt
	ordinaryLines string
	//go:embed selftest/hostile.txt
	hostileLines string
)

// selfTest holds the proof against the engine before anything depends on it. The
// engine is asked about what is proved clean only: whatever it says of the rest
// stands anyway. share is of how many requests one is tried. It takes a tenth of a
// second of CPU, once for each text of directives; the own requests of patches and
// exclusions are tried each time.
func (i *Inspector) selfTest(share int) error {
	p := &i.proving
	if !p.proves() {
		return nil
	}
	var tried []trial
	narrowed := 0
	if !p.tested.Load() {
		for n, t := range trials(i.profile.Formats) {
			if n%share == 0 {
				narrowed++
				t.narrowed = narrowed%narrowedShare == 0
				tried = append(tried, t)
			}
		}
	}
	for _, patch := range i.patches {
		for _, text := range slices.Concat(patch.MustPass, patch.MustBlock) {
			if r, body, err := described(text); err == nil {
				tried = append(tried, trial{what: "a request of a patch", request: r, body: body, narrowed: true})
			}
		}
	}
	for _, e := range i.exclusions {
		for _, text := range slices.Concat(e.MustPass, e.MustBlock) {
			if r, body, err := described(text); err == nil {
				tried = append(tried, trial{what: "a request of an exclusion", request: r, body: body, narrowed: true})
			}
		}
	}
	clean, asked := 0, 0
	for _, t := range tried {
		said, err := i.try(t)
		if err != nil {
			return err
		}
		if p.off.Load() {
			return nil // in shadow: it has been told
		}
		if said.asked {
			asked++
		}
		if said.clean {
			clean++
		}
	}
	if !p.tested.Swap(true) {
		i.log.Info("the proof in front of the WAF engine agrees with it", "profile", i.profile.Name, "requests", asked, "proved_clean", clean)
	}
	return nil
}

// tried is what came of one request of the self-test.
type tried struct{ asked, clean bool }

// try asks both sides about one request. The error is a difference; a proof in
// shadow refuses nothing, and raises the alarm instead.
func (i *Inspector) try(t trial) (said tried, err error) {
	s, err := i.own(t.request, t.body)
	if err != nil {
		return tried{}, nil // out of this profile's bounds: neither side sees it
	}
	ctx := context.Background()
	v := i.said(ctx, s)
	switch {
	case v.Narrowed && t.narrowed:
		return tried{asked: true}, i.tryNarrowed(ctx, t, s)
	case !v.Clean:
		return tried{asked: v.Asked}, nil
	}
	found, err := i.inspect(ctx, s, math.MaxInt32)
	refusal := effect(found, err)
	switch {
	case refusal == "" && err != nil:
		return tried{}, fmt.Errorf("holding the proof of the WAF profile %q against the engine: %w", i.profile.Name, err)
	case refusal == "":
	case i.profile.Proof == ProofShadow:
		i.disproved(ctx, s, found, refusal)
	default:
		i.proving.off.Store(true)
		return tried{}, fmt.Errorf("the WAF profile %q proves a request clean on which the engine %s (%s; rules %v): write proof: off for it, and report this",
			i.profile.Name, refusal, t.what, found.Rules)
	}
	return tried{true, true}, nil
}

// trial is a request of the self-test.
type trial struct {
	what    string
	request *http.Request
	body    string
	// narrowed says that some rules and all rules have to come to the same too.
	narrowed bool
}

// trials are all requests of the self-test, those of the probe too; the most
// telling come first. Of bodies they have those that are taken.
func trials(taken Formats) []trial {
	var all []trial
	hostile := []string{attack}
	for line := range strings.Lines(hostileLines) {
		hostile = append(hostile, strings.TrimSuffix(line, "\n"))
	}
	for n, text := range hostile {
		at := hostileTrials(text, taken)
		for place := n % 2; place < len(at); place += 2 {
			all = append(all, at[place])
		}
	}
	all = append(all, trial{what: "a plain GET /", request: probeRequest("", "", "")})
	for line := range strings.Lines(ordinaryLines) {
		all = append(all, ordinaryTrial(strings.TrimSuffix(line, "\n")))
	}
	return all
}

// ordinaryTrial reads a line: a word that says what it is, and that.
func ordinaryTrial(line string) trial {
	kind, text, _ := strings.Cut(line, " ")
	t := trial{what: line}
	switch kind {
	case "JSON":
		t.request, t.body = probeRequest("", jsonMedia, text), text
	case "FORM":
		t.request, t.body = probeRequest("", formMedia, text), text
	case "FIELD":
		t.request = probeRequest("", "", "")
		name, value, _ := strings.Cut(text, ": ")
		t.request.Header[name] = []string{value}
	default:
		t.request = probeRequest("", "", "")
		t.request.Method = kind
		path, query, _ := strings.Cut(text, "?")
		t.request.URL.RawQuery = query
		t.request.URL.RawPath = path
		t.request.URL.Path, _ = url.PathUnescape(path)
	}
	t.request.Header["Accept-Language"] = []string{"en-GB,en;q=0.9,fi;q=0.8"}
	t.request.Header["Accept-Encoding"] = []string{"gzip, deflate, br"}
	if t.request.Header["Cookie"] == nil {
		t.request.Header["Cookie"] = []string{"session=6f1c2a0b9d8e4f7a; theme=dark"}
	}
	return t
}

// hostileTrials puts a text in every place.
func hostileTrials(text string, taken Formats) []trial {
	escaped := url.QueryEscape(text)
	quoted, _ := json.Marshal(text) // a string can be written
	inField := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	at := func(where string, r *http.Request, body string) trial {
		return trial{what: text + " in " + where, request: r, body: body}
	}
	part := multipartOf(`name="q"`, text)
	var document strings.Builder
	document.WriteString("<q>")
	_ = xml.EscapeText(&document, []byte(text)) // a builder takes all
	document.WriteString("</q>")
	with := func(name, value string) *http.Request {
		r := probeRequest("", "", "")
		r.Header[name] = []string{value}
		return r
	}
	path := probeRequest("", "", "")
	path.URL.Path, path.URL.RawPath = "/"+text, "/"+url.PathEscape(text)
	all := []trial{
		at("a parameter", probeRequest("q="+escaped, "", ""), ""),
		at("a parameter's name", probeRequest(escaped+"=1", "", ""), ""),
		at("a JSON body", probeRequest("", jsonMedia, `{"q":`+string(quoted)+`}`), `{"q":`+string(quoted)+`}`),
		at("a form", probeRequest("", formMedia, "q="+escaped), "q="+escaped),
		at("a list in a JSON body", probeRequest("", jsonMedia, `[`+string(quoted)+`]`), `[`+string(quoted)+`]`),
		at("the User-Agent", with("User-Agent", inField), ""),
		at("the Referer", with("Referer", "https://example.com/"+inField), ""),
		at("a cookie", with("Cookie", "a="+strings.ReplaceAll(inField, ";", "")), ""),
		at("a field", with("X-Note", inField), ""),
		at("the path", path, ""),
	}
	if taken&Multipart != 0 {
		all = append(all, at("a multipart form", probeRequest("", multipartMedia, part), part))
	}
	if taken&XML != 0 {
		all = append(all, at("a text of XML", probeRequest("", "text/xml", document.String()), document.String()))
	}
	return all
}
