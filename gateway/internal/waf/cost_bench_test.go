package waf

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// dear are requests that a rule may match, of the shapes that cost the engine
// most: where the prototype of the engine's cost was measured, and bodies at
// random.
func dear() []struct {
	name string
	tx   func() *pipeline.Transaction
} {
	const hit = "1' UNION SELECT name,password FROM users-- -"
	text := func(size int, of string) string {
		return strings.Repeat(of, size/len(of)+1)[:size]
	}
	post := func(media, body string) func() *pipeline.Transaction {
		return func() *pipeline.Transaction { return request("POST", "/v1/reservations", media, body) }
	}
	form := func(args, size int) string {
		var b strings.Builder
		for n := range args {
			fmt.Fprintf(&b, "field_%03d=%s&", n, text(size, "some+ordinary+value+"))
		}
		return b.String() + "last=" + url.QueryEscape(hit)
	}
	member := func(s string) string { return `{"note":"` + s + `","q":"` + hit + `"}` }
	random := func(seed uint64, size int, from string) string {
		rnd := rand.New(rand.NewPCG(seed, 7))
		b := make([]byte, size)
		for n := range b {
			b[n] = from[rnd.IntN(len(from))]
		}
		return string(b)
	}
	const punctuation = ";'$(){}[]|&<>%=,.:*#@!~^`?+-_/ "
	words := []string{"select ", "union ", "<script ", "onload=", "' or ", "../", "${", "$(", "exec ", "/etc/", "eval(", "a b ", "1=1 ", "--", ";", "cat "}
	attacks := func(seed uint64, size int) string {
		rnd := rand.New(rand.NewPCG(seed, 8))
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(words[rnd.IntN(len(words))])
		}
		return b.String()[:size]
	}
	return []struct {
		name string
		tx   func() *pipeline.Transaction
	}{
		{"GET", func() *pipeline.Transaction { return request("GET", "/v1/hotels?city="+url.QueryEscape(hit), "", "") }},
		{"JSON1KiB", post(jsonMedia, strings.Replace(oneKiB(), "late", hit, 1))},
		{"JSON10KiB", post(jsonMedia, strings.Replace(manyRooms(10_000), "quiet", hit, 1))},
		{"list250", post(jsonMedia, `["`+hit+`",`+strings.TrimPrefix(list(250), "["))},
		{"form1KiB", post(formMedia, form(20, 40))},
		{"form250args", post(formMedia, form(250, 15))},
		{"form900args", post(formMedia, form(900, 15))},
		{"plain4KiB", post(jsonMedia, member(text(4000, "a quiet room by the sea ")))},
		{"plain60KiB", post(jsonMedia, member(text(60000, "a quiet room by the sea ")))},
		{"quotes4KiB", post(jsonMedia, member(text(4000, `he said 'it is <b>fine</b>' & (so) 1=1; `)))},
		{"quotes60KiB", post(jsonMedia, member(text(60000, `he said 'it is <b>fine</b>' & (so) 1=1; `)))},
		{"punctuation8KiB", post(jsonMedia, member(random(1, 8000, punctuation)))},
		{"punctuation60KiB", post(jsonMedia, member(random(2, 60000, punctuation)))},
		{"attacks8KiB", post(jsonMedia, member(attacks(1, 8000)))},
		{"attacks60KiB", post(jsonMedia, member(attacks(2, 60000)))},
		{"letters60KiB", post(jsonMedia, member(random(3, 60000, "abcdefghijklmnop      ")))},
		{"query6KiB", func() *pipeline.Transaction {
			return request("GET", "/v1/hotels?city="+url.QueryEscape(attacks(3, 4000)), "", "")
		}},
		{"cookies6KiB", func() *pipeline.Transaction {
			tx := request("GET", "/v1/hotels?city="+url.QueryEscape(hit), "", "")
			tx.Request.Header.Set("Cookie", text(6000, "session=6f1c2a0b9d8e4f7a; "))
			return tx
		}},
		{"fields90", func() *pipeline.Transaction {
			tx := request("GET", "/v1/hotels?city="+url.QueryEscape(hit), "", "")
			for n := range 90 {
				tx.Request.Header.Set(fmt.Sprintf("X-Field-%d", n), text(60, "some ordinary value "))
			}
			return tx
		}},
	}
}

// BenchmarkCost prints what the engine was estimated to take beside what it took,
// for requests that are not clean: with the rules that the proof leaves, and with
// all.
func BenchmarkCost(b *testing.B) {
	for _, paranoia := range []int{1, 2} {
		i, err := New(Config{Profile: Profile{Name: "bench", BlockingParanoia: paranoia, Cost: MaxCost, Args: MaxArgs}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		for _, of := range dear() {
			b.Run(fmt.Sprintf("paranoia%d/%s", paranoia, of.name), func(b *testing.B) {
				tx := of.tx()
				if err := tx.ReadBody(MaxBody); err != nil {
					b.Fatal(err)
				}
				f, err := i.profile.bounded(tx, tx.Body)
				if err != nil {
					b.Fatal(err)
				}
				s := i.subject(tx, tx.Body, f)
				measured := func(what func()) float64 {
					least := math.Inf(1)
					for range 3 {
						before, n := cpu(b), 0
						for n == 0 || cpu(b)-before < 3e6 {
							what()
							n++
						}
						least = min(least, float64(cpu(b)-before)/float64(n))
					}
					return least / 1000
				}
				v := i.said(b.Context(), s)
				proof := measured(func() { i.said(b.Context(), s) })
				narrow := measured(func() { _, _ = i.inspect(b.Context(), s, maxRules) })
				whole := measured(func() { _, _ = i.inspect(b.Context(), s.whole(), maxRules) })
				for b.Loop() {
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(s.cost.Microseconds()), "estimated-us")
				b.ReportMetric(narrow, "measured-us")
				b.ReportMetric(float64(i.profile.wholeCost(s).Microseconds()), "all-estimated-us")
				b.ReportMetric(whole, "all-measured-us")
				b.ReportMetric(proof, "proof-us")
				if !v.Narrowed {
					b.Logf("%+v", v)
				}
			})
		}
	}
}
