package pages_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestAPersonSignsUpConfirmsSignsInResetsAndSignsOut(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)

	a := b.post("/signup", "email", " Ada@Hotel.Example ", "password", password)
	if a.status != http.StatusSeeOther || a.location() != "/signup/done" {
		t.Fatalf("sign-up: %d to %q", a.status, a.location())
	}
	if a := b.get(a.location()); !a.shown("Check your mail") {
		t.Errorf("after the sign-up: %s", a.body)
	}
	mail := s.mail.next(t, "ada@hotel.example")
	if mail.from != "no-reply@hotel.example" || mail.header.Get("Auto-Submitted") != "auto-generated" || mail.header.Get("User-Agent") != "" {
		t.Errorf("the mail is from %q with %v", mail.from, mail.header)
	}
	if !strings.Contains(mail.text, s.URL+"/verify?token=") || !strings.Contains(mail.html, `<a href="`+s.URL+"/verify?token=") {
		t.Errorf("no link to us in the mail:\n%s\n%s", mail.text, mail.html)
	}

	if a := b.post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusForbidden || !a.shown("Confirm your address first") {
		t.Errorf("sign-in before the address is confirmed: %d %s", a.status, a.body)
	}
	token := mail.token(t)
	for range 2 { // as a scanner does
		if a := b.get("/verify?token=" + token); a.status != http.StatusOK || !a.shown("ada@hotel.example") {
			t.Fatalf("the confirmation page: %d %s", a.status, a.body)
		}
	}
	if a := b.post("/verify", "token", token, "password", "not the password"); a.status != http.StatusForbidden || b.session() != "" {
		t.Errorf("confirmed without the password: %d", a.status)
	}
	if a := b.post("/verify", "token", token, "password", password); a.status != http.StatusSeeOther || a.location() != "/account" {
		t.Fatalf("confirmation: %d to %q", a.status, a.location())
	}
	if a := b.get("/account"); a.status != http.StatusOK || !a.shown("ada@hotel.example") || !a.shown("This browser") {
		t.Errorf("the account: %d %s", a.status, a.body)
	}
	if a := b.get("/signin"); a.location() != "/account" {
		t.Errorf("signing in while signed in leads to %q", a.location())
	}

	if a := b.post("/signout"); a.status != http.StatusSeeOther || b.session() != "" {
		t.Errorf("sign-out: %d", a.status)
	}
	if a := b.get("/account"); a.location() != "/signin" {
		t.Errorf("the account is shown after signing out: %d", a.status)
	}

	reset := s.resetToken(t, "ada@hotel.example")
	if a := b.get("/reset/confirm?token=" + reset); a.status != http.StatusOK || !a.shown("ada@hotel.example") {
		t.Errorf("the reset page: %d %s", a.status, a.body)
	}
	if a := b.post("/reset/confirm", "token", reset, "password", "another horse battery"); a.location() != "/reset/done" {
		t.Fatalf("reset: %d %s", a.status, a.body)
	}
	if a := b.post("/signin", "email", "ada@hotel.example", "password", password); a.status != http.StatusForbidden {
		t.Errorf("the old password still works: %d", a.status)
	}
	if a := b.post("/signin", "email", "ADA@hotel.example", "password", "another horse battery"); a.location() != "/account" {
		t.Errorf("the new password does not work: %d %s", a.status, a.body)
	}
	if s.revocations() == 0 {
		t.Error("the reset has revoked nothing")
	}
	for _, want := range []string{"account.sign_up success", "account.verify failure password", "account.verify success", "account.sign_in failure unverified",
		"account.sign_in success", "account.sign_out success", "account.request_reset success", "account.reset success", "account.sign_in failure password"} {
		if !strings.Contains(s.records(), want) {
			t.Errorf("no record %q in:\n%s", want, s.records())
		}
	}
	for _, secret := range []string{password, "another horse", token, reset, "ada@", b.session()} {
		if strings.Contains(s.log.String(), secret) || strings.Contains(s.records(), secret) {
			t.Errorf("%q is in the log or in a record", secret)
		}
	}
}
