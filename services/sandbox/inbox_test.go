package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

const hostile = `From: a@hotel.test
Subject: <script>alert(1)</script>
Content-Type: multipart/mixed; boundary=b

--b

<script>alert(2)</script> javascript:alert(3) (see http://localhost/x).
--b
Content-Type: text/html

<p>Hello</p><script>alert(4)</script>
--b
Content-Type: text/html
Content-Disposition: attachment; filename=page.html

<script>alert(5)</script>
--b--
`

func TestAPersonReadsMail(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("GET", "/"); a.status != http.StatusOK || !strings.Contains(a.body, "Nothing has been sent yet") {
		t.Errorf("%d: %s", a.status, a.body)
	}
	w.send("a@hotel.test", greeting, "g@guest.test")
	w.send("a@hotel.test", strings.Replace(greeting, "Sch", "H", 1), "h@guest.test")
	list := w.ask("GET", "/").body
	for _, want := range []string{"mail that was sent here has gone nowhere", `<a href="/messages/1">Schön</a>`, "g@guest.test", "Harbour Hotel &lt;no-reply@hotel.test&gt;"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if strings.Index(list, "Hön") > strings.Index(list, "Schön") {
		t.Error("the newest does not come first")
	}
	page := w.ask("GET", "/messages/1").body
	for _, want := range []string{"Schön", "Message-Id", `<a href="https://localhost:8444/verify?code=a&amp;b=c" rel=`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<iframe") {
		t.Error("a frame for a mail without HTML")
	}
	if a := w.ask("GET", "/style.css"); a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet: %d, %q", a.status, a.header.Get("Content-Type"))
	}
}

func TestHostileMailDoesNothing(t *testing.T) {
	w := newWorld(t)
	w.send("a@hotel.test", hostile, "g@guest.test")
	for _, path := range []string{"/", "/messages/1"} {
		a := w.ask("GET", path)
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, `href="javascript:`) {
			t.Errorf("%s has a script:\n%s", path, a.body)
		}
		if csp := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s has the policy %q", path, csp)
		}
	}
	page := w.ask("GET", "/messages/1").body
	for _, want := range []string{`src="/messages/1/html" sandbox="`, `href="http://localhost/x"`, `href="/messages/1/attachments/1" download`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	frame := w.ask("GET", "/messages/1/html")
	csp := frame.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "sandbox ") || strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "allow-same-origin") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("the frame has the policy %q", csp)
	}
	if !strings.Contains(frame.body, "<p>Hello</p>") {
		t.Errorf("the frame shows %s", frame.body)
	}
	file := w.ask("GET", "/messages/1/attachments/1")
	if file.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment; filename=page.html") ||
		!strings.HasPrefix(file.header.Get("Content-Security-Policy"), "sandbox;") || file.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the attachment came as %v", file.header)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.send("a@hotel.test", greeting, "g@guest.test")
	for path, status := range map[string]int{
		"/messages/1": 200, "/messages/2": 404, "/messages/0": 404, "/messages/-1": 404, "/messages/x": 404, "/messages/99999999999999999999": 404,
		"/messages/1/html": 404, "/messages/1/attachments/1": 404, "/messages/1/attachments/x": 404, "/style.html": 404, "/pages/list.html": 404,
	} {
		a := w.ask("GET", path)
		if a.status != status || a.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: status %d, want %d; policy %q", path, a.status, status, a.header.Get("Content-Security-Policy"))
		}
	}
	if a := w.ask("POST", "/"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST answered %d", a.status)
	}
}

func TestTheInboxIsEmptiedByItsOwnerAlone(t *testing.T) {
	w := newWorld(t)
	w.send("a@hotel.test", greeting, "g@guest.test")
	for name, fields := range map[string][]string{
		"a site that a developer visits":       {"Sec-Fetch-Site", "cross-site"},
		"one in a browser without that header": {"Origin", "https://evil.test"},
	} {
		if a := w.ask("DELETE", "/api/messages", fields...); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if len(w.found("")) != 1 {
		t.Fatal("the mail is gone")
	}
	if a := w.ask("DELETE", "/api/messages"); a.status != http.StatusNoContent || len(w.found("")) != 0 {
		t.Errorf("%d, and %d mails are left", a.status, len(w.found("")))
	}
	if a := w.ask("GET", "/api/messages"); a.body != "{\"messages\":[]}\n" {
		t.Errorf("an empty inbox is %s", a.body)
	}
}

func FuzzLinks(f *testing.F) {
	f.Add("see https://localhost:8444/verify?code=x. Then http://a/(b)!")
	f.Add("javascript:alert(1)//http://x")
	linked := linker()
	f.Fuzz(func(t *testing.T, text string) {
		all := ""
		for _, p := range linked(text) {
			if p.Link != "" && (p.Text != "" || !strings.HasPrefix(p.Link, "http://") && !strings.HasPrefix(p.Link, "https://")) {
				t.Errorf("%q became the link %q", text, p.Link)
			}
			all += p.Text + p.Link
		}
		if all != text {
			t.Errorf("%q became %q", text, all)
		}
	})
}
