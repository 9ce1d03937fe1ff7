package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// look looks at the page as people do: on a small phone and at a desk, by day
// and by night. It must not have to be moved sideways, its first heading must
// say what it is, and axe-core must find nothing grave. Without scripts, which
// axe-core is one of, a small phone must do.
func (b *browser) look(name string) {
	b.t.Helper()
	if b.text("h1") == "" {
		b.t.Errorf("%s has no heading", b.url())
	}
	if !b.script {
		b.narrow()
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.narrow()
		b.screenshot(name + "-320-" + scheme)
		do(b, "widening the window", chromedp.EmulateViewport(1920, 1080))
		if wide := do(b, "measuring the page", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); wide > 1920 {
			b.t.Errorf("%s is %d wide in a window of 1920", b.url(), wide)
		}
		b.screenshot(name + "-1920-" + scheme)
		b.accessible(scheme)
	}
	b.scheme("light")
	// A click beside the window as it truly is would hit nothing.
	do(b, "making the window what it was", chromedp.EmulateViewport(1000, 800))
}

// scheme makes the browser that of somebody who prefers light or dark pages.
func (b *browser) scheme(name string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}, // nor is a colour judged on its way to another
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatalf("asking for %s pages: %v", name, err)
	}
}

// axeQuestion asks axe-core for what it finds serious or critical (WCAG 2.2,
// level AA), a line for each element.
const axeQuestion = `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(found => {
  if (found.passes.length < 5) throw new Error('axe-core has looked at nothing')
  return found.violations.filter(v => v.impact == 'serious' || v.impact == 'critical')
    .flatMap(v => v.nodes.map(n => v.impact + ' ' + v.id + ': ' + v.help + ': ' + n.html))
})`

// accessible complains of what keeps some people from using the page. The tool
// comes in by the debugger, which no Content-Security-Policy holds back.
func (b *browser) accessible(scheme string) {
	b.t.Helper()
	dir, err := foreign()
	if err != nil {
		b.t.Fatal(err)
	}
	axe, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	do(b, "bringing axe-core", chromedp.Evaluate[chromedp.Void](string(axe)))
	found := do(b, "asking axe-core", chromedp.Evaluate[[]string](axeQuestion, chromedp.EvalAwaitPromise))
	if len(found) > 0 {
		b.t.Errorf("%s, %s: axe-core says\n%s", b.url(), scheme, strings.Join(found, "\n"))
	}
}

// at ends the test unless the browser is at an address that begins so.
func (b *browser) at(prefix string) {
	b.t.Helper()
	if got := b.url(); !strings.HasPrefix(got, prefix) {
		b.t.Fatalf("the browser is at %s, not at %s:\n%s", got, prefix, b.text("body"))
	}
}

// arrives waits for the browser to come to an address by itself. On the way
// there is a moment between two pages when it cannot say where it is.
func (b *browser) arrives(prefix string) {
	b.t.Helper()
	until(b.t, "the browser comes to "+prefix, 15*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		ready, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState == 'complete' && location.href.startsWith("+strconv.Quote(prefix)+")"))
		return err == nil && ready
	})
}

// says ends the test unless the page's heading is this, and it tells the person
// what to do: each of our pages does.
func (b *browser) says(heading, what string) {
	b.t.Helper()
	if got := b.text("h1"); got != heading {
		b.t.Fatalf("%s is headed %q, not %q:\n%s", b.url(), got, heading, b.text("body"))
	}
	b.sees(what)
}

// link is a selector for the first link to an address.
func link(href string) string { return fmt.Sprintf("a[href=%q]", href) }
