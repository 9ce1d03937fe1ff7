package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/certs"
	"portcullis/services/hotel"
)

// till is payments beside the sandbox, as they are run.
type till struct {
	*system
	payments, bank, inbox string
	args                  []string
}

func newTill(t *testing.T) *till {
	t.Helper()
	s := &system{t: t, dir: t.TempDir(), issuer: tokentest.New(t), files: map[string]certs.Files{}}
	authority, err := certs.Dev(filepath.Join(s.dir, "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bundle := s.bundle(authority.CA())
	for _, name := range []string{"payments", "reservations", "gateway", "sandbox"} {
		files, err := authority.Leaf(name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files.CA = bundle
		s.files[name] = files
	}
	s.issuer.Client("payments", "secret of payments", token.FeedAudience, 0, token.FeedScope)
	key, smtp := s.write("bank.key", "open sesame\n"), freeAddress(t)
	p := &till{system: s, payments: freeAddress(t), bank: freeAddress(t), inbox: freeAddress(t)}
	p.args = []string{
		"payments", "--addr", p.payments, "--data", filepath.Join(s.dir, "data"),
		"--cert", s.files["payments"].Cert, "--key", s.files["payments"].Key, "--ca", bundle,
		"--issuer", s.issuer.URL, "--client-secret-file", s.write("payments.secret", "secret of payments\n"),
		"--bank", "https://" + p.bank, "--bank-ca", authority.CA(), "--bank-key", key,
		"--smtp", "localhost" + smtp[strings.LastIndex(smtp, ":"):], "--smtp-ca", authority.CA(),
	}
	p.launch("sandbox", "--addr", p.inbox, "--smtp", smtp, "--bank", p.bank, "--bank-key", key,
		"--cert", s.files["sandbox"].Cert, "--key", s.files["sandbox"].Key)
	return p
}

// launch runs a process until stop, which returns its exit code and all it said.
func (p *till) launch(args ...string) (stop func() (int, string)) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, diagnostics := &output{serving: make(chan struct{})}, &output{serving: make(chan struct{})}
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, out, diagnostics) }()
	select {
	case <-diagnostics.serving:
	case code := <-done:
		cancel()
		p.t.Fatalf("%s ended with %d: %s", args[0], code, diagnostics)
	}
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-done, out.String() + diagnostics.String()
	})
	p.t.Cleanup(func() { stop() })
	return stop
}

func (p *till) pay(bearer string) (int, string) {
	p.t.Helper()
	r, _ := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "https://"+p.payments+hotel.PathCharges, strings.NewReader(
		`{"reservation":"r-1","amount":{"amount":500,"currency":"EUR"},"card":{"number":"4242424242424242","expiry":"12/40","code":"123"},"receipt_to":"g@guest.test"}`))
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "r-1")
	resp, err := p.client("reservations").Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func TestPaymentsChargesThroughTheBankAndMails(t *testing.T) {
	p := newTill(t)
	stop := p.launch(p.args...)
	bearer := p.exchanged("payments", "g-7", map[string]any{"client_id": "reservations", "scope": hotel.ScopeChargesWrite})
	status, paid := p.pay(bearer)
	if status != http.StatusCreated {
		t.Fatalf("answered %d: %s", status, paid)
	}
	if status, _ := p.pay(p.exchanged("payments", "g-7", map[string]any{"scope": hotel.ScopeChargesWrite})); status != http.StatusForbidden {
		t.Errorf("the gateway's token in the hands of reservations got %d", status)
	}
	code, said := stop()
	if code != 0 || strings.Contains(said, "4242424242424242") || strings.Contains(said, "guest.test") {
		t.Errorf("it ended with %d and said %s", code, said)
	}
	p.launch(p.args...) // on the same file
	if status, again := p.pay(bearer); status != http.StatusOK || again != paid {
		t.Errorf("after a restart it answered %d: %s", status, again)
	}
	// The mail goes out by whichever process comes to it.
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, mails := p.status(p.client(""), request{http.MethodGet, "https://" + p.inbox + "/api/messages?to=g@guest.test", "", ""})
		if bytes.Contains(mails, []byte("Payment received: EUR 5.00")) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the inbox has %s", mails)
		}
	}
}

func TestPaymentsSaysWhyItCannotStart(t *testing.T) {
	p := newTill(t)
	for name, c := range map[string]struct {
		more []string
		says string
	}{
		"a bank in the clear":     {[]string{"--bank", "http://bank.test"}, "bank"},
		"nobody to trust":         {[]string{"--bank-ca", "nowhere.pem"}, "--bank-ca"},
		"a key that is not there": {[]string{"--bank-key", "nowhere"}, "--bank-key"},
		"no mail server":          {[]string{"--smtp", "mail.test"}, "--smtp"},
		"mail from nobody":        {[]string{"--mail-from", "the hotel"}, "--mail-from"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if code := run(ctx, append(p.args[:len(p.args):len(p.args)], c.more...), io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, stderr %q, want 1 and one that says %q", code, stderr.String(), c.says)
			}
		})
	}
}
