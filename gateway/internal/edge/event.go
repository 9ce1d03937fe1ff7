package edge

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Bounds on what a client can put into an event, in bytes.
const (
	maxAgent  = 256
	maxQuery  = 2048
	maxMethod = 32
	// maxShadows is how many entries of what is in mode shadow an event has; the
	// metric counts them all.
	maxShadows = 16
)

// outcome is what came of a request, as the event tells it.
type outcome struct {
	decision pipeline.Decision
	result   pipeline.Result
	status   int
	took     time.Duration
	trace    string
}

// appendEvent appends the one JSON line of a request. Names are of the Elastic
// Common Schema; what ECS has no name for stands under "portcullis". It holds
// what a decision depended on, so that it can be decided again, and never a
// token, a cookie, a body or an unlisted query value.
func appendEvent(b []byte, tx *pipeline.Transaction, o *outcome) []byte {
	r := tx.Request
	b = append(b, `{"@timestamp":"`...)
	b = stamp(b, tx.Start)
	b = append(b, `","event.kind":"event","event.category":["web"],"event.outcome":`...)
	if o.decision.Kind == pipeline.Allow && o.status < 500 {
		b = append(b, `"success"`...)
	} else {
		b = append(b, `"failure"`...)
	}
	b = append(b, `,"event.duration":`...)
	b = strconv.AppendInt(b, int64(o.took), 10)
	b = field(b, "http.request.id", tx.ID)
	b = field(b, "http.request.method", clip(r.Method, maxMethod))
	b = field(b, "http.version", strings.TrimPrefix(r.Proto, "HTTP/"))
	b = append(b, `,"http.response.status_code":`...)
	b = strconv.AppendInt(b, int64(o.status), 10)
	if o.result.Status != 0 {
		b = append(b, `,"http.response.body.bytes":`...)
		b = strconv.AppendInt(b, o.result.Bytes, 10)
	}
	if r.ContentLength > 0 {
		b = append(b, `,"http.request.body.bytes":`...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
	}
	b = optional(b, "http.request.mime_type", clip(r.Header.Get("Content-Type"), maxAgent))
	b = field(b, "url.domain", clip(tx.Host, maxAgent))
	b = field(b, "url.path", clip(pathOf(tx), maxPath))
	if r.URL.RawQuery != "" {
		b = append(b, `,"url.query":`...)
		b = quote(b, visibleQuery(tx))
	}
	if tx.Source.IsValid() {
		b = append(b, `,"client.ip":"`...)
		b = tx.Source.AppendTo(b)
		b = append(b, '"')
	}
	b = optional(b, "user_agent.original", clip(r.UserAgent(), maxAgent))
	b = optional(b, "trace.id", o.trace)
	b = appendPrincipal(b, tx)
	b = append(b, `,"portcullis":{"decision":`...)
	b = quote(b, o.decision.Kind.String())
	b = optional(b, "stage", o.decision.Stage)
	b = optional(b, "rule", o.decision.Rule)
	if tx.Route != nil {
		b = field(b, "route", tx.Route.Name)
		b = field(b, "place", tx.Route.Place)
	}
	if tx.Snapshot != nil {
		b = field(b, "policy", tx.Snapshot.Version)
	}
	if p := o.decision.Problem; p != nil {
		b = appendProblem(b, p)
	}
	b = appendShadows(b, tx.Shadows)
	if tx.Route != nil {
		b = appendPipeline(b, tx, o)
	}
	return append(b, "}}\n"...)
}

func appendPrincipal(b []byte, tx *pipeline.Transaction) []byte {
	p := tx.Principal
	if p == nil {
		return b
	}
	b = field(b, "user.id", p.Subject)
	b = append(b, `,"token":{"issuer":`...)
	b = quote(b, p.Issuer)
	b = field(b, "client", p.Client)
	b = field(b, "id", p.TokenID)
	b = optional(b, "actor", p.Actor)
	b = field(b, "scope", strings.Join(p.Scopes, " "))
	return append(b, '}')
}

func appendProblem(b []byte, p *problem.Problem) []byte {
	b = field(b, "code", string(p.Code))
	if p.Cause != nil {
		b = field(b, "cause", clip(p.Cause.Error(), maxQuery))
	}
	return b
}

// appendShadows tells what would have been decided by what is in mode shadow.
func appendShadows(b []byte, shadows []pipeline.Shadow) []byte {
	if len(shadows) == 0 {
		return b
	}
	b = append(b, `,"shadow":[`...)
	for i, s := range shadows[:min(len(shadows), maxShadows)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"stage":`...)
		b = quote(b, s.Stage)
		b = field(b, "rule", clip(s.Rule, maxAgent))
		b = optional(b, "place", clip(s.Place, maxAgent))
		b = field(b, "would", s.Would.String())
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendPipeline(b []byte, tx *pipeline.Transaction, o *outcome) []byte {
	b = optional(b, "upstream_path", clip(o.result.Path, maxPath))
	if o.result.Endpoint != "" {
		b = field(b, "endpoint", o.result.Endpoint)
		b = append(b, `,"attempts":`...)
		b = strconv.AppendInt(b, int64(o.result.Attempts), 10)
	}
	if o.result.Broken != nil {
		b = field(b, "broken", clip(o.result.Broken.Error(), maxQuery))
	}
	if tx.WAF.Ran {
		b = appendScore(append(b, `,"waf":{`...), tx.WAF.Score, tx.WAF.Rules)
		if answer := &tx.WAF.Answer; answer.Ran {
			b = append(appendScore(append(b, `,"answer":{`...), answer.Score, answer.Rules), '}')
		}
		b = append(b, '}')
	}
	if len(tx.Limits) > 0 {
		b = append(b, `,"limits":{`...)
		for i, l := range tx.Limits {
			if i > 0 {
				b = append(b, ',')
			}
			b = quote(b, l.Name)
			b = append(b, ':')
			b = strconv.AppendInt(b, int64(l.Remaining), 10)
		}
		b = append(b, '}')
	}
	b = append(b, `,"stages":{`...)
	var before time.Duration
	for i, stage := range tx.Route.Stages {
		end := tx.StageEnds(i)
		if end == 0 {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, stage.Name())
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(end-before), 10)
		before = end
	}
	return append(b, '}')
}

// appendScore tells what the WAF has found.
func appendScore(b []byte, score int, rules []int) []byte {
	b = append(b, `"score":`...)
	b = strconv.AppendInt(b, int64(score), 10)
	b = append(b, `,"rules":[`...)
	for i, id := range rules {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}

// pathOf is the canonical path, or what the client sent when it was refused.
func pathOf(tx *pipeline.Transaction) string {
	if tx.Path != "" {
		return tx.Path
	}
	return tx.Request.URL.EscapedPath()
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func optional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return field(b, name, value)
}

func field(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, `":`...)
	return quote(b, value)
}

// quote appends s as a JSON string. Control characters are escaped, so that no
// client can start a line of its own in the log; what is not UTF-8 becomes
// U+FFFD.
func quote(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	i := 0
	for i < len(s) && verbatim(s[i]) {
		i++
	}
	b = append(b, s[:i]...) // nearly always all of it
	for i < len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r < 0xa0 { // terminals take U+009B for the start of a command
				b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
			} else {
				b = utf8.AppendRune(b, r)
			}
			i += n
		}
	}
	return append(b, '"')
}

// verbatim accepts what stands in a JSON string as it is.
func verbatim(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' }

// stamp appends a time in UTC as RFC 3339 with microseconds, like AppendFormat
// at a quarter of the cost.
func stamp(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 1000 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	hour, minute, second := t.Clock()
	b = append(digits2(digits2(b, year/100), year%100), '-')
	b = append(digits2(b, int(month)), '-')
	b = append(digits2(b, day), 'T')
	b = append(digits2(b, hour), ':')
	b = append(digits2(b, minute), ':')
	b = append(digits2(b, second), '.')
	us := t.Nanosecond() / 1000
	return append(digits2(digits2(digits2(b, us/10000), us/100%100), us%100), 'Z')
}

func digits2(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
