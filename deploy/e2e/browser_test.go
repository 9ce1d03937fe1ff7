package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browserTime bounds a test's whole time in a browser.
const browserTime = 10 * time.Minute

// browser is a person at Debian's Chromium, who as a rule has only a keyboard. It trusts
// the development authority, as a developer's browser would, and never a
// certificate that is wrong. Its profile is new, and it looks up no name: what
// is not on this machine does not exist.
type browser struct {
	t      *testing.T
	ctx    context.Context
	script bool
	mouse  bool // is used where it can be
	shots  int
}

// newBrowser starts one that trusts the authority in file ca; none if empty.
func newBrowser(t *testing.T, ca string, script bool) *browser {
	t.Helper()
	return newBrowserVia(t, ca, script, "")
}

// newBrowserVia starts one that reaches some addresses by a detour: via are
// rules of Chromium's, "MAP localhost:8443 127.0.0.1:40001".
func newBrowserVia(t *testing.T, ca string, script bool, via string) *browser {
	t.Helper()
	home := t.TempDir()
	if via != "" {
		via += " , "
	}
	if ca != "" {
		trustInBrowser(t, home, ca)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_CACHE_HOME="+filepath.Join(home, "cache")),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.NoSandbox, // as root there is none to be had
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", via+"MAP localhost localhost , MAP 127.0.0.1 127.0.0.1 , MAP * ~NOTFOUND"),
		chromedp.WindowSize(1000, 800),
	)
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, script: script}
	t.Cleanup(func() {
		if t.Failed() && ctx.Err() == nil {
			b.screenshot("failed")
		}
		_ = chromedp.Cancel(ctx) // waits for its end, or its profile could not be removed
	})
	// The first call starts the browser, which ends with that call's context.
	off := emulation.SetScriptExecutionDisabledParams{Value: !script}
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, off); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return b
}

// trustInBrowser adds an authority to the certificates of a home folder.
func trustInBrowser(t *testing.T, home, ca string) {
	t.Helper()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "development authority", "-t", "C,,", "-i", ca},
	} {
		if out, err := exec.Command("certutil", append([]string{"-d", "sql:" + db}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil %s: %v\n%s", args[0], err, out)
		}
	}
}

// do performs a step, or ends the test with what the person would have seen.
func do[T any](b *browser, what string, step chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, step)
	if err != nil {
		url, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
		b.t.Fatalf("%s: %v\nat %s, which says:\n%.2000s", what, err, url, text)
	}
	return got
}

// open types an address.
func (b *browser) open(url string) {
	b.t.Helper()
	do(b, "opening "+url, chromedp.Navigate(url))
}

// refused opens an address that must not open, and gives the reason.
func (b *browser) refused(url string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		return err.Error()
	}
	b.t.Fatalf("%s was opened", url)
	return ""
}

// tab presses Tab until the element that a CSS selector names has the focus. A
// person who sees no focus is lost: at every stop it must be visible.
func (b *browser) tab(selector string) {
	b.t.Helper()
	b.stops(selector)
}

// back is tab with the shift key.
func (b *browser) back(selector string) {
	b.t.Helper()
	b.stops(selector, kb.ModifierShift)
}

func (b *browser) stops(selector string, held ...kb.Modifier) {
	b.t.Helper()
	if b.mouse {
		do(b, "clicking on "+selector, chromedp.Click(chromedp.CSS(selector)))
		return
	}
	const most = 60 // more stops than any page of ours has
	for range most {
		do(b, "pressing Tab", chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(held...)))
		stop := do(b, "asking who has the focus", chromedp.Evaluate[struct {
			There, Seen bool
			What        string
		}](fmt.Sprintf(focused, selector)))
		if !stop.Seen {
			b.t.Errorf("%s: no focus is seen on %s", b.url(), stop.What)
		}
		if stop.There {
			return
		}
	}
	b.t.Fatalf("Tab does not reach %q on %s:\n%s", selector, b.url(), b.text("body"))
}

// focused reports whether the element with the focus is the one that a selector
// names, and whether a ring is seen around it or its label. A page that has the
// focus itself has none, and what a frame holds is not ours.
const focused = `(wanted => {
  const at = document.activeElement
  const ring = e => e && (s => s.outlineStyle != 'none' && s.outlineWidth != '0px' || s.boxShadow != 'none')(getComputedStyle(e))
  return {There: at.matches(wanted), Seen: at == document.body || at.tagName == 'IFRAME' || !!(ring(at) || ring(at.closest('label'))), What: at.outerHTML.slice(0, 200)}
})(%q)`

// fill goes to a field and types over what is in it.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.tab(selector)
	do(b, "selecting what is in "+selector, chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)))
	do(b, "emptying "+selector, chromedp.KeyEvent(kb.Delete))
	do(b, "typing into "+selector, chromedp.KeyEvent(text))
}

// enter presses Enter, and waits for the page that follows from it.
func (b *browser) enter() {
	b.t.Helper()
	do(b, "pressing Enter", chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.KeyEvent(kb.Enter)))
}

// follow goes to a link or a button and presses Enter, or clicks on it.
func (b *browser) follow(selector string) {
	b.t.Helper()
	if b.mouse {
		do(b, "clicking on "+selector, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(chromedp.CSS(selector))))
		return
	}
	b.tab(selector)
	b.enter()
}

// text is what a person reads in the first element that a CSS selector names.
func (b *browser) text(selector string) string {
	b.t.Helper()
	// A page that has only just come may take the place of what was found.
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector))); err == nil {
		return text
	}
	return do(b, "reading "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// sees ends the test unless the page says something.
func (b *browser) sees(text string) {
	b.t.Helper()
	if got := b.text("body"); !strings.Contains(got, text) {
		b.t.Fatalf("%s does not say %q:\n%s", b.url(), text, got)
	}
}

func (b *browser) url() string {
	b.t.Helper()
	return do(b, "asking where this is", chromedp.Location())
}

func (b *browser) title() string {
	b.t.Helper()
	return do(b, "asking for the title", chromedp.Title())
}

// narrow makes the window as wide as a small phone, and complains where a page
// must then be moved sideways to be read.
func (b *browser) narrow() {
	b.t.Helper()
	do(b, "narrowing the window", chromedp.EmulateViewport(320, 640))
	if wide := do(b, "measuring the page", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); wide > 320 {
		b.t.Errorf("%s is %d wide in a window of 320", b.url(), wide)
	}
}

// screenshot writes what is seen into the folder PORTCULLIS_SCREENSHOTS, if
// that is set: for people who want to look at it.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("PORTCULLIS_SCREENSHOTS")
	if dir == "" {
		return
	}
	b.shots++
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		test := regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(b.t.Name(), "-")
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%02d-%s.png", test, b.shots, name)), png, 0o600)
	}
	if err != nil {
		b.t.Logf("no screenshot: %v", err)
	}
}
