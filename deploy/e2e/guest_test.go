package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// lodger is a person who stays at the hotel.
type lodger struct {
	*person
	h         *inn
	downloads string
	from, to  time.Time
	judge     bool // looks at every page as long as it takes
}

func (h *inn) guest(name string, script, mouse bool) *lodger {
	h.t.Helper()
	b := h.browser(script, mouse, h.source())
	g := &lodger{
		person:    &person{browser: b, s: h.system, email: name + "@guest.test", password: "four words and a comma"},
		h:         h,
		downloads: h.t.TempDir(),
		from:      time.Now().UTC().AddDate(0, 2, 0), to: time.Now().UTC().AddDate(0, 2, 3),
	}
	_, err := chromedp.CallBrowser(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: g.downloads,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// see looks at a page closely, or sees that it fits a small phone.
func (g *lodger) see(name string) {
	g.t.Helper()
	if g.judge {
		g.look(name)
	}
}

// date goes to a field for a date and types month, day and year.
func (g *lodger) date(selector string, day time.Time) {
	g.t.Helper()
	g.tab(selector)
	if g.mouse { // a click may have hit the day or the year
		do(g.browser, "going to the month", chromedp.KeyEvent(kb.ArrowLeft+kb.ArrowLeft+kb.ArrowLeft))
	}
	do(g.browser, "typing a date", chromedp.KeyEvent(day.Format("01022006")))
}

// choose picks what begins so from a list.
func (g *lodger) choose(selector, text string) {
	g.t.Helper()
	if g.mouse {
		// A list that a click has opened belongs to the window system.
		do(g.browser, "choosing "+text, chromedp.SendKeys(chromedp.CSS(selector), text))
		return
	}
	g.tab(selector)
	do(g.browser, "choosing "+text, chromedp.KeyEvent(text))
}

// tick ticks a box.
func (g *lodger) tick(selector string) {
	g.t.Helper()
	g.tab(selector)
	if !g.mouse {
		do(g.browser, "pressing the space bar", chromedp.KeyEvent(" "))
	}
}

// begins opens the first page and follows it to the sign-in, where an account
// is made first.
func (g *lodger) begins() {
	g.t.Helper()
	g.open(g.s.gatewayURL)
	g.see("home")
	g.follow(`header a[href^="/signin"]`)
	g.at(g.s.authURL + "/signin")
	g.follow(`a[href^="/signup"]`)
	g.join()
	g.arrives(g.s.gatewayURL + "/")
	g.sees("Sign out")
}

// searches fills in the form of the first page: our own hotels, then partners'.
func (g *lodger) searches(city string) {
	g.t.Helper()
	g.open(g.s.gatewayURL + "/")
	g.fill("form.wish [name=city]", city)
	g.date("form.wish [name=from]", g.from)
	g.date("form.wish [name=to]", g.to)
	g.choose("form.wish [name=guests]", "3")
	g.follow("form.wish button")
	for _, query := range []string{"city=" + city, "from=" + g.from.Format(time.DateOnly), "to=" + g.to.Format(time.DateOnly), "guests=3"} {
		if !strings.Contains(g.url(), query) {
			g.t.Fatalf("the search is %s, not for %s", g.url(), query)
		}
	}
	text := g.text("main")
	own, aurora, baltic, all := strings.Index(text, "Our hotels"), strings.Index(text, "Aurora"), strings.Index(text, "Baltic"), strings.Index(text, "That is all")
	if own < 0 || aurora < own || baltic < own || all < aurora || all < baltic {
		g.t.Fatalf("own hotels, partners' and the end stand at %d, %d, %d, %d:\n%s", own, aurora, baltic, all, text)
	}
	g.see("search")
}

const euros = `€[0-9,.]+`

// pays fills in the form of a booking, and sends it.
func (g *lodger) pays(name, card string) {
	g.t.Helper()
	g.fill("form#booking [name=name]", name)
	g.fill("form#booking [name=note]", "A cot, please, and we arrive late.")
	g.card(card)
}

func (g *lodger) card(number string) {
	g.t.Helper()
	g.fill("form#booking [name=card_number]", number)
	g.fill("form#booking [name=card_expiry]", "12"+time.Now().AddDate(3, 0, 0).Format("06"))
	g.fill("form#booking [name=card_code]", "123")
	g.follow("form#booking button")
}

// downloaded waits for a file that a step has the browser keep.
func (g *lodger) downloaded(step func()) string {
	g.t.Helper()
	names := func() map[string]bool {
		all, err := os.ReadDir(g.downloads)
		if err != nil {
			g.t.Fatal(err)
		}
		found := map[string]bool{}
		for _, one := range all {
			found[one.Name()] = !strings.HasSuffix(one.Name(), ".crdownload") && !strings.HasPrefix(one.Name(), ".")
		}
		return found
	}
	before := names()
	step()
	var file string
	until(g.t, "a file is downloaded", 30*time.Second, func() bool {
		for name, whole := range names() {
			if whole && !before[name] {
				file = filepath.Join(g.downloads, name)
			}
		}
		return file != ""
	})
	kept := filepath.Join(g.t.TempDir(), filepath.Base(file)) // or the next of its name would be no new one
	if err := os.Rename(file, kept); err != nil {
		g.t.Fatal(err)
	}
	return kept
}

// press presses a link that leads to a file, not to a page.
func (g *lodger) press(selector string, by ...func(string)) func() {
	return func() {
		g.t.Helper()
		for _, reach := range append(by, g.tab)[:1] {
			reach(selector)
		}
		if !g.mouse {
			do(g.browser, "pressing Enter", chromedp.KeyEvent(kb.Enter))
		}
	}
}

// printed is the text of a PDF.
func (g *lodger) printed(file string) string {
	g.t.Helper()
	out, err := exec.Command("pdftotext", "-layout", file, "-").CombinedOutput()
	if err != nil {
		g.t.Fatalf("pdftotext: %v\n%s", err, out)
	}
	return string(out)
}

// opens opens, in the inbox, the first mail about something, once it is there.
func (g *lodger) opens(subject string) mail {
	g.t.Helper()
	var found mail
	defer func() {
		if found.ID == 0 {
			g.t.Logf("there are %+v", g.s.sink.mails(g.email))
		}
	}()
	until(g.t, "a mail about "+subject, 30*time.Second, func() bool {
		for _, m := range g.s.sink.mails(g.email) {
			if strings.Contains(m.Subject, subject) {
				found = m
			}
		}
		return found.ID != 0
	})
	g.open(g.s.sink.inboxURL)
	g.follow(link("/messages/" + strconv.Itoa(found.ID)))
	return found
}

// way is how a guest uses the pages.
type way struct {
	name          string
	script, mouse bool
}

// TestAGuestBooksInABrowser is a guest's whole time with us, on the programs as
// they are run, through the gateway with the policies that are shipped: with a
// mouse, in a browser that runs no scripts, and with nothing but a keyboard;
// and, on the same system, what guests see when something goes wrong.
func TestAGuestBooksInABrowser(t *testing.T) {
	t.Parallel()
	house := startInn(t)
	t.Run("all is well", func(t *testing.T) {
		for _, way := range ways() {
			t.Run(way.name, func(t *testing.T) {
				t.Parallel()
				h := house.in(t)
				g := h.guest(strings.NewReplacer(" ", "-").Replace(way.name), way.script, way.mouse)
				g.judge = way.script
				g.stays()
			})
		}
	})
	t.Run("all is not", func(t *testing.T) {
		t.Run("a card is declined", func(t *testing.T) { t.Parallel(); house.in(t).declines() })
		t.Run("the hotel is full", func(t *testing.T) { t.Parallel(); house.in(t).isFull() })
		t.Run("too much is asked", func(t *testing.T) { t.Parallel(); house.in(t).slowsDown() })
	})
	t.Run("nobody answers", func(t *testing.T) { house.in(t).isAway() })
}

func (g *lodger) stays() {
	g.t.Helper()
	const name = "Zoë O'Neil-Ångström"
	g.begins()
	g.searches("Helsinki")
	g.follow("section.group:not(.partner) .card a")
	hotel := g.text("h1")
	if !strings.Contains(g.url(), "from="+g.from.Format(time.DateOnly)) {
		g.t.Errorf("the days are lost on the way to %s", g.url())
	}
	g.see("hotel")
	total := regexp.MustCompile(euros).FindString(g.text(".price.large"))
	g.follow(`a[href^="/book/"]`)
	g.sees(total)
	g.see("book")
	g.pays(name, "4242424242424242")
	g.at(g.s.gatewayURL + "/bookings/")
	g.says(hotel, "You are booked. Have a lovely stay!")
	g.sees("Confirmed")
	g.sees("card ending in 4242")
	g.sees(name)
	g.see("booked")
	booking := strings.TrimSuffix(g.url(), "?booked")

	receipt := g.downloaded(g.press(`a[href$="/receipt"]`))
	paper := g.printed(receipt)
	if amount := regexp.MustCompile(`[0-9]+`).FindString(total); !strings.Contains(paper, name) || !strings.Contains(paper, amount) || !strings.Contains(paper, hotel) {
		g.t.Errorf("the receipt does not tell of %s, %s and %s:\n%s", name, amount, hotel, paper)
	}
	verify := regexp.MustCompile(`https://\S+/verify/\S+`).FindString(paper)
	if verify == "" {
		g.t.Fatalf("the receipt has no address to verify it:\n%s", paper)
	}
	g.open(verify)
	g.says("This document is genuine", total)
	g.see("verify")
	g.open(verify[:len(verify)-2])
	g.says("We cannot confirm this document", "")
	g.see("verify-not")

	g.opens("is confirmed")
	g.see("mail")
	// From the end: keys that a debugger presses do not leave the frame of the mail.
	mailed := g.downloaded(g.press(`a[href*="/attachments/"]`, g.back))
	if a, b := contents(g.t, receipt), contents(g.t, mailed); a != b || a == "" {
		g.t.Errorf("the mail's receipt (%d bytes) is not the page's (%d bytes)", len(b), len(a))
	}

	g.open(booking)
	g.follow(`header a[href="/bookings"]`)
	g.says("My bookings", hotel)
	g.see("bookings")
	g.follow("a.trip")
	g.follow(`a[href$="/cancel"]`)
	g.says("Cancel this booking?", total)
	g.see("cancel")
	g.follow(`form[action$="/cancel"] button`)
	g.says(hotel, "Your booking is cancelled")
	g.sees("Given back to a card ending in 4242")
	g.see("cancelled")
	g.opens("is cancelled")

	g.open(g.s.gatewayURL + "/profile")
	g.says("Profile", total)
	until(g.t, "the refund is shown", 15*time.Second, func() bool {
		if strings.Contains(g.text("main"), "Given back") {
			return true
		}
		g.open(g.s.gatewayURL + "/profile")
		return false
	})
	g.fill("form[action='/profile'] [name=name]", "")
	g.follow("form[action='/profile'] button")
	g.sees("Please tell us your name.")
	g.see("profile-wrong")
	g.fill("form[action='/profile'] [name=name]", name)
	g.fill("form[action='/profile'] [name=phone]", "+358 40 1234567")
	g.follow("form[action='/profile'] button")
	g.says("Profile", "Saved.")
	g.see("profile")
	if data := contents(g.t, g.downloaded(g.press(`.panel a[href="/profile/export"]`))); !strings.Contains(data, name) || !strings.Contains(data, "+358 40 1234567") || !strings.Contains(data, "A cot, please") {
		g.t.Errorf("the guest's data is\n%s", data)
	}
	g.isForgotten()
}

// isForgotten removes the account: nobody can sign in to it, and a new one for
// the same address knows nothing.
func (g *lodger) isForgotten() {
	g.t.Helper()
	g.open(g.s.gatewayURL + "/profile/remove")
	g.follow("form[action='/profile/remove'] button")
	g.says("Remove my data", "Tick the box to say that you mean it.")
	g.see("remove")
	g.tick("#f-sure")
	g.follow("form[action='/profile/remove'] button")
	until(g.t, "the guest is forgotten", 30*time.Second, func() bool {
		return strings.Contains(g.peek(), "We have forgotten you")
	})
	g.see("removed")
	g.open(g.s.gatewayURL + "/bookings")
	g.says("Please sign in first", "")
	g.see("signed-out")
	g.follow(`main a[href^="/signin"]`)
	g.at(g.s.authURL + "/signin")
	g.send("/signin", "email", g.email, "password", g.password)
	g.says("Sign in", "The e-mail address or the password is not right.")

	g.mails = len(g.s.sink.mails(g.email))
	g.follow(`a[href^="/signup"]`)
	g.join()
	g.arrives(g.s.gatewayURL + "/bookings")
	g.says("My bookings", "No trips yet")
	g.see("bookings-none")
}

// member is a guest who has an account and is signed in.
func (h *inn) member(name string) *lodger {
	h.t.Helper()
	g := h.guest(name, true, true)
	g.judge = true
	g.open(h.gatewayURL + "/signin?return=/bookings")
	g.follow(`a[href^="/signup"]`)
	g.join()
	g.arrives(h.gatewayURL + "/bookings")
	return g
}

// books opens the form for a room, and does not send it.
func (g *lodger) books(hotel string) {
	g.t.Helper()
	g.open(fmt.Sprintf("%s/book/%s?from=%s&to=%s&guests=2", g.s.gatewayURL, hotel, g.from.Format(time.DateOnly), g.to.Format(time.DateOnly)))
}

// A card that the bank does not take is nobody's end: another one does.
func (h *inn) declines() {
	g := h.member("declined")
	g.books("h-1")
	g.follow("form#booking button")
	g.says("Book your room", "need your attention")
	g.see("book-wrong")
	g.pays("Ada Lovelace", "4000000000000002")
	g.says("Book your room", "Your card was declined")
	g.sees("Nothing was charged")
	g.see("declined")
	if name := do(g.browser, "reading the name", chromedp.Evaluate[string]("document.querySelector('[name=name]').value")); name != "Ada Lovelace" {
		g.t.Errorf("the name is %q now", name)
	}
	g.card("4242 4242 4242 4242")
	g.sees("You are booked.")
}

// A partner's only room is booked by somebody else while a guest fills in the
// form.
func (h *inn) isFull() {
	g := h.member("late")
	g.books("aurora.h-3")
	body := fmt.Sprintf(`{"hotel":"h-3","from":%q,"to":%q,"guests":1}`, g.from.Format(time.DateOnly), g.to.Format(time.DateOnly))
	if status := h.outside("POST", h.auroraURL+"/bookings", body, "somebody-else"); status != 201 {
		h.t.Fatalf("somebody else's booking: %d", status)
	}
	g.pays("Ada Lovelace", "4242424242424242")
	g.says("The last room has just gone", "Nothing was charged.")
	g.see("full")
	g.follow(`main a.button.quiet`)
	// What the partner said before may stand for some seconds.
	until(g.t, "the hotel's page says that it is full", time.Minute, func() bool {
		g.open(g.url())
		return strings.Contains(g.text("main"), "No room is free on all of these nights.")
	})
	g.says("Aurora Observatory", "No room is free on all of these nights.")
	g.see("hotel-full")
}

// Whoever asks for too much, or whose neighbour does, is told when to go on.
func (h *inn) slowsDown() {
	source := h.source()
	b := h.browser(true, true, source)
	client := h.from(source)
	until(h.t, "the gateway slows a source down", time.Minute, func() bool {
		for range 40 {
			res, err := client.Get(h.gatewayURL + "/signin")
			if err != nil {
				h.t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode == 429 {
				break
			}
		}
		b.open(h.gatewayURL + "/signin")
		return strings.HasPrefix(b.url(), h.gatewayURL)
	})
	b.says("One moment, please", "then load this page again")
	b.look("gateway-429")
	b.open(h.gatewayURL + "/?q=1%27%20OR%201=1--")
	b.look("gateway-403")
	b.open(h.gatewayURL + "/nowhere")
	b.look("gateway-404")
}

// What the bank, a service or all of the pages' service leave unanswered.
func (h *inn) isAway() {
	g := h.member("patient")
	g.books("h-2")
	if status := h.outside("PUT", h.bankURL+"/control", `{"status":503}`, ""); status >= 300 {
		h.t.Fatalf("the bank's misbehaviour: %d", status)
	}
	g.pays("Ada Lovelace", "4242424242424242")
	g.says("Book your room", "Try again")
	g.see("bank-away")
	if status := h.outside("DELETE", h.bankURL+"/control", "", ""); status >= 300 {
		h.t.Fatalf("the bank's good behaviour: %d", status)
	}
	stopped := func(name string, do func()) {
		h.t.Helper()
		pid := h.pid(name)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			h.t.Fatal(err)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
		do()
	}
	stopped("reservations", func() {
		g.open(h.gatewayURL + "/bookings")
		g.says("We cannot reach this right now", "Try again")
		g.see("service-away")
	})
	stopped("booking", func() {
		g.open(h.gatewayURL + "/bookings")
		g.says("We cannot reach this right now", "then load this page again")
		g.see("gateway-504")
	})
	g.open(h.gatewayURL + "/bookings")
	g.says("My bookings", "")
}

// peek is what stands on the page, even while it is about to change.
func (g *lodger) peek() string {
	text, err := chromedp.Run(g.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
	if err != nil {
		return ""
	}
	return text
}
