package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A mail as a hostile sender would write it: a page that runs a script of it,
// with or without scripts allowed, gets another title.
const hostileMail = `From: Harbour Hotel <no-reply@hotel.test>
To: g@guest.test
Subject: Confirm <script>document.title='stolen'</script>
Content-Type: multipart/alternative; boundary=b

--b

Go to INBOX/?from=mail to confirm.
--b
Content-Type: text/html

<p>Hello</p><script>top.document.title='stolen'</script><img src=x onerror="top.document.title='stolen'">
--b--
`

func TestAPersonReadsTheInbox(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	k := startSink(t, t.TempDir(), authority)
	k.send("bounce@hotel.test", "g@guest.test", strings.ReplaceAll(hostileMail, "INBOX", k.inboxURL))
	if m := k.mail("g@guest.test", 1); m.From != "Harbour Hotel <no-reply@hotel.test>" || !strings.Contains(m.Text, "?from=mail") || !strings.Contains(m.HTML, "Hello") {
		t.Errorf("the API tells of %+v", m)
	}
	for name, script := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, authority.CA(), script)
			b.open(k.inboxURL)
			b.sees("mail that was sent here has gone nowhere")
			b.sees("g@guest.test")
			b.narrow()
			b.screenshot("inbox")
			b.follow("main a")
			if got := b.text("h1"); got != "Confirm <script>document.title='stolen'</script>" {
				t.Errorf("the heading is %q", got)
			}
			b.narrow()
			b.screenshot("message")
			if strings.Contains(b.title(), "stolen'") && !strings.HasPrefix(b.title(), "Confirm") || b.title() == "stolen" {
				t.Errorf("a script of the mail ran: the title is %q", b.title())
			}
			b.follow("#text a")
			if !strings.HasSuffix(b.url(), "/?from=mail") {
				t.Errorf("the link of the mail led to %s", b.url())
			}
		})
	}
}

// Whoever does not have the development authority is told so: nothing in these
// tests opens a page over a certificate that is wrong.
func TestABrowserRefusesAStrangersCertificate(t *testing.T) {
	t.Parallel()
	k := startSink(t, t.TempDir(), newAuthority(t))
	for name, ca := range map[string]string{"without any authority": "", "with another": newAuthority(t).CA()} {
		t.Run(name, func(t *testing.T) {
			if why := newBrowser(t, ca, true).refused(k.inboxURL); !strings.Contains(why, "ERR_CERT_AUTHORITY_INVALID") {
				t.Errorf("refused because of %s", why)
			}
		})
	}
}

// Nothing in these tests depends on, or tells anything to, the world outside.
func TestABrowserLooksUpNothing(t *testing.T) {
	t.Parallel()
	if why := newBrowser(t, "", true).refused("https://hotel.test/"); !strings.Contains(why, "ERR_NAME_NOT_RESOLVED") {
		t.Errorf("refused because of %s", why)
	}
}

// The tool itself: a form is filled and sent without a mouse, and what stood in
// a field before does not stay.
func TestAKeyboardFillsAForm(t *testing.T) {
	t.Parallel()
	form := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Method == http.MethodPost {
			fmt.Fprintf(w, "<!doctype html><title>Sent</title><p>%s, %s", html.EscapeString(r.FormValue("name")), html.EscapeString(r.FormValue("word")))
			return
		}
		fmt.Fprint(w, `<!doctype html><title>Form</title><a href="/elsewhere">elsewhere</a><form method=post>
<input name=name value="somebody else"> <input name=word type=password> <button>Send</button></form>`)
	}))
	t.Cleanup(form.Close)
	for name, script := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, "", script)
			b.open(form.URL)
			b.fill("[name=name]", "Zoë O'Neil")
			b.fill("[name=word]", "a long & <odd> passphrase")
			b.follow("button")
			b.sees("Zoë O'Neil, a long & <odd> passphrase")
		})
	}
}
