package edge

import (
	"strconv"

	"portcullis/gateway/internal/pipeline"
)

// alert writes one security event for each profile whose rules matched with an
// effect, and another when they did in the answer. Nothing is done, and nothing allocated, for a request without.
func (h *Handler) alert(x *exchange) {
	tx := &x.tx
	h.alertOf(x, &tx.WAF, "enforce")
	for i := range tx.ShadowWAF {
		h.alertOf(x, &tx.ShadowWAF[i], "shadow")
	}
}

func (h *Handler) alertOf(x *exchange, found *pipeline.Inspection, mode string) {
	if len(found.Hits) > 0 {
		// A buffer of its own: the few that are long must not stay in the pool.
		_, _ = h.alerts.Write(appendAlert(nil, &x.tx, x.out.trace, found, mode))
	}
	if len(found.Answer.Hits) > 0 {
		answer := found.InAnswer()
		h.alertOf(x, &answer, mode)
	}
}

// appendAlert appends the one JSON line of what a profile found. Like the event
// of the request, which has the same id, it names things as the Elastic Common
// Schema does, and holds no value of the request.
func appendAlert(b []byte, tx *pipeline.Transaction, trace string, found *pipeline.Inspection, mode string) []byte {
	verdict := found.Verdict(mode == "shadow")
	b = append(b, `{"@timestamp":"`...)
	b = stamp(b, tx.Start)
	b = append(b, `","event.kind":"alert","event.category":["intrusion_detection","web"],"event.type":["`...)
	if verdict == pipeline.VerdictDenied {
		b = append(b, `denied`...)
	} else {
		b = append(b, `allowed`...)
	}
	b = append(b, `"],"event.action":"waf","event.risk_score":`...)
	b = strconv.AppendInt(b, int64(found.Score), 10)
	b = field(b, "http.request.id", tx.ID)
	b = field(b, "http.request.method", clip(tx.Request.Method, maxMethod))
	b = field(b, "url.domain", clip(tx.Host, maxAgent))
	b = field(b, "url.path", clip(pathOf(tx), maxPath))
	if tx.Source.IsValid() {
		b = append(b, `,"client.ip":"`...)
		b = tx.Source.AppendTo(b)
		b = append(b, '"')
	}
	b = optional(b, "trace.id", trace)
	b = append(b, `,"rule.id":[`...)
	for i := range found.Hits {
		b = comma(b, i)
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(found.Hits[i].Rule), 10)
		b = append(b, '"')
	}
	b = append(b, ']')
	b = appendPrincipal(b, tx)
	b = append(b, `,"portcullis":{"profile":`...)
	b = quote(b, found.Profile)
	b = field(b, "mode", mode)
	b = field(b, "verdict", verdict)
	b = append(b, `,"score":`...)
	b = strconv.AppendInt(b, int64(found.Score), 10)
	b = append(b, `,"threshold":`...)
	b = strconv.AppendInt(b, int64(found.Threshold), 10)
	if tx.Route != nil {
		b = field(b, "route", tx.Route.Name)
		b = field(b, "place", tx.Route.Place)
	}
	if tx.Snapshot != nil {
		b = field(b, "policy", tx.Snapshot.Version)
	}
	b = append(b, `,"hits":[`...)
	for i := range found.Hits {
		b = appendHit(comma(b, i), &found.Hits[i])
	}
	return append(b, "]}}\n"...)
}

func appendHit(b []byte, h *pipeline.Hit) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, int64(h.Rule), 10)
	b = field(b, "message", h.Message)
	b = append(b, `,"paranoia":`...)
	b = strconv.AppendInt(b, int64(h.Paranoia), 10)
	b = field(b, "severity", h.Severity)
	b = optional(b, "place", h.Place)
	b = append(b, `,"counts":`...)
	b = strconv.AppendBool(b, h.Denies)
	b = append(b, `,"at":[`...)
	for i, at := range h.At {
		b = append(comma(b, i), `{"target":`...)
		b = quote(b, at.Target)
		b = field(b, "value", at.Shape)
		if at.Bytes >= 0 {
			b = append(b, `,"bytes":`...)
			b = strconv.AppendInt(b, int64(at.Bytes), 10)
		}
		b = append(b, '}')
	}
	b = append(b, ']')
	if h.More > 0 {
		b = append(b, `,"more":`...)
		b = strconv.AppendInt(b, int64(h.More), 10)
	}
	return append(b, '}')
}

// comma separates what stands in a list.
func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}
