package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/smtp"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
)

// sink is the sandbox as an operator starts it: where all mail of the system
// goes, and its inbox.
type sink struct {
	*process
	inboxURL, smtp string
	// The stand-ins beside it: a bank and two partner chains.
	bankURL, auroraURL, balticURL string
	client                        *http.Client
	trust                         *tls.Config
}

// startSink starts a sandbox with a certificate of the authority.
func startSink(t *testing.T, dir string, authority *certs.Authority) *sink {
	t.Helper()
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{
		inboxURL: "https://" + free(t), smtp: free(t),
		bankURL: "https://" + free(t), auroraURL: "https://" + free(t), balticURL: "https://" + free(t),
	}
	k.trust = &tls.Config{RootCAs: pool(t, authority.CA()), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: k.trust.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	k.client = &http.Client{Transport: transport, Timeout: patience}
	ops := free(t)
	k.process = launch(t, dir, "sandbox", nil, "hotel", "sandbox",
		"--addr", host(k.inboxURL), "--smtp", k.smtp, "--ops", ops, "--cert", files.Cert, "--key", files.Key,
		"--bank", host(k.bankURL), "--aurora", host(k.auroraURL), "--baltic", host(k.balticURL))
	until(t, "the sandbox is ready", 60*time.Second, func() bool {
		select {
		case <-k.done:
			t.Fatalf("the sandbox ended: %v\n%s", k.err, k.tail())
		default:
		}
		status, err := get("http://" + ops + "/readyz")
		return err == nil && status == http.StatusOK
	})
	return k
}

// mail is a message as the sink's API tells it.
type mail struct {
	ID                        int
	From, Subject, Text, HTML string
	To                        []string
	Received                  time.Time
}

// mails are all that were sent to an address so far, newest first.
func (k *sink) mails(to string) []mail {
	k.t.Helper()
	res, err := k.client.Get(k.inboxURL + "/api/messages?to=" + url.QueryEscape(to))
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct{ Messages []mail }
	if err := decode(res.Body, &list); err != nil || res.StatusCode != http.StatusOK {
		k.t.Fatalf("the inbox answered %d: %v", res.StatusCode, err)
	}
	return list.Messages
}

// mail waits for the nth mail to an address, counted from 1, and gives it.
func (k *sink) mail(to string, nth int) mail {
	k.t.Helper()
	var all []mail
	until(k.t, fmt.Sprintf("mail %d to %s", nth, to), 10*time.Second, func() bool {
		all = k.mails(to)
		return len(all) >= nth
	})
	return all[len(all)-nth]
}

// send sends a mail over SMTP, as any program would.
func (k *sink) send(from, to, message string) {
	k.t.Helper()
	c, err := smtp.Dial(k.smtp)
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	steps := []func() error{
		func() error { return c.StartTLS(k.trust.Clone()) },
		func() error { return c.Mail(from) },
		func() error { return c.Rcpt(to) },
		func() error {
			w, err := c.Data()
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte(strings.ReplaceAll(message, "\n", "\r\n"))); err != nil {
				return err
			}
			return w.Close()
		},
		c.Quit,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			k.t.Fatal(err)
		}
	}
}

// newAuthority is a development authority of a test's own.
func newAuthority(t *testing.T) *certs.Authority {
	t.Helper()
	authority, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

// TestTheSinkOffersNothingWithoutTLS: a sender that would send in the clear, and
// one that trusts somebody else, both give up.
func TestTheSinkOffersNothingWithoutTLS(t *testing.T) {
	t.Parallel()
	k := startSink(t, t.TempDir(), newAuthority(t))
	c, err := smtp.Dial(k.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("a@hotel.test"); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("mail in the clear: %v", err)
	}
	stranger := k.trust.Clone()
	stranger.RootCAs = x509.NewCertPool()
	if err := c.StartTLS(stranger); err == nil {
		t.Error("a certificate of nobody's was trusted")
	}
}
