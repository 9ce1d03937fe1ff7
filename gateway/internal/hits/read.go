package hits

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// lineMost bounds a line, in bytes: no security event has more.
const lineMost = 1 << 20

// Lines tells what was read.
type Lines struct {
	// All are the lines, Alerts the security events among them, Bad those that
	// were no JSON or too long; FirstBad is the number of the first, from 1.
	All, Alerts, Bad, FirstBad int
}

// Read tells of each security event among recorded events. Other events are
// passed over; a line that cannot be read is counted, for the last of a file may
// be half written.
func Read(r io.Reader, each func(Finding)) (lines Lines, err error) {
	b := bufio.NewReaderSize(r, lineMost)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			lines.All++
			whole := err == nil || errors.Is(err, io.EOF)
			f, alert, ok := decode(line)
			switch {
			case !whole || !ok:
				if lines.Bad++; lines.Bad == 1 {
					lines.FirstBad = lines.All
				}
			case alert:
				lines.Alerts++
				each(f)
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = b.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
	}
}

// textMost bounds what is kept of a name or a message, in bytes. The gateway
// writes no longer ones; a file may hold anything.
const textMost = 256

func clip(s string) string { return strings.Clone(s[:min(len(s), textMost)]) }

// recorded is a security event as it stands in the log.
type recorded struct {
	Time    time.Time `json:"@timestamp"`
	Kind    string    `json:"event.kind"`
	Action  string    `json:"event.action"`
	Request string    `json:"http.request.id"`
	Source  string    `json:"client.ip"`
	Subject string    `json:"user.id"`
	Token   struct {
		Issuer string `json:"issuer"`
	} `json:"token"`
	Inner struct {
		Profile   string `json:"profile"`
		Mode      string `json:"mode"`
		Verdict   string `json:"verdict"`
		Score     int    `json:"score"`
		Threshold int    `json:"threshold"`
		Route     string `json:"route"`
		Hits      []struct {
			ID       int    `json:"id"`
			Message  string `json:"message"`
			Paranoia int    `json:"paranoia"`
			Severity string `json:"severity"`
			Place    string `json:"place"`
			Counts   bool   `json:"counts"`
			At       []struct {
				Target string `json:"target"`
				Value  string `json:"value"`
				Bytes  *int   `json:"bytes"`
			} `json:"at"`
			More int `json:"more"`
		} `json:"hits"`
	} `json:"portcullis"`
}

// decode reads one line; ok is false when it is no JSON object.
func decode(line []byte) (f Finding, alert, ok bool) {
	var r recorded
	if err := json.Unmarshal(line, &r); err != nil {
		// Another program's line may use a name otherwise; it is JSON all the same.
		return f, false, json.Valid(line)
	}
	if r.Kind != "alert" || r.Action != "waf" {
		return f, false, true
	}
	source, _ := netip.ParseAddr(r.Source) // an invalid one is as good as none
	f = Finding{
		Time: r.Time, Request: clip(r.Request), Route: clip(r.Inner.Route), Profile: clip(r.Inner.Profile), Mode: clip(r.Inner.Mode), Verdict: clip(r.Inner.Verdict),
		Score: r.Inner.Score, Threshold: r.Inner.Threshold, Client: client(r.Token.Issuer, r.Subject, source),
	}
	for _, h := range r.Inner.Hits {
		hit := pipeline.Hit{Rule: h.ID, Message: clip(h.Message), Paranoia: h.Paranoia, Severity: clip(h.Severity), Place: clip(h.Place), Denies: h.Counts, More: h.More}
		for _, at := range h.At {
			bytes := -1
			if at.Bytes != nil {
				bytes = *at.Bytes
			}
			hit.At = append(hit.At, pipeline.HitAt{Target: clip(at.Target), Shape: clip(at.Value), Bytes: bytes})
		}
		f.Hits = append(f.Hits, hit)
	}
	return f, true, true
}
