package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
)

// mailed is a sandbox as it is run, and what a client of it needs.
func mailed(t *testing.T) (inbox, mail string, client *tls.Config, stop func() (int, string)) {
	t.Helper()
	authority, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		t.Fatal(err)
	}
	inbox, mail = freeAddress(t), freeAddress(t)
	out, diagnostics := &output{serving: make(chan struct{})}, &output{serving: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"sandbox", "--addr", inbox, "--smtp", mail, "--cert", files.Cert, "--key", files.Key}, out, diagnostics)
	}()
	select {
	case <-diagnostics.serving:
	case code := <-ended:
		t.Fatalf("exit code %d: %s", code, diagnostics)
	}
	t.Cleanup(cancel)
	return "https://" + inbox, mail, trust.Client(), func() (int, string) { cancel(); return <-ended, out.String() + diagnostics.String() }
}

func TestTheSandboxTakesMailAndShowsIt(t *testing.T) {
	inbox, mail, trust, stop := mailed(t)
	c, err := smtp.Dial(mail)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	config := trust.Clone()
	config.ServerName = "localhost"
	if err := c.StartTLS(config); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail("no-reply@hotel.test"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("g@guest.test"); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, "Subject: Welcome\r\n\r\nthe code is 4711\r\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(inbox + "/api/messages?to=g@guest.test")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "the code is 4711") {
		t.Errorf("the inbox answered %d: %s", resp.StatusCode, body)
	}
	client.CloseIdleConnections()
	code, said := stop()
	if code != 0 || !strings.Contains(said, `"url.path":"/api/messages"`) {
		t.Errorf("it ended with %d and said %s", code, said)
	}
	for _, private := range []string{"4711", "g@guest.test", "Welcome"} {
		if strings.Contains(said, private) {
			t.Errorf("the log holds %q of a mail: %s", private, said)
		}
	}
}

func TestTheSandboxSaysWhyItCannotStart(t *testing.T) {
	_, mail, _, _ := mailed(t) // which holds a port
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no certificate":  {[]string{"--cert", "nowhere.pem"}, "nowhere.pem"},
		"the port in use": {[]string{"--smtp", mail}, "--smtp"},
		"an argument":     {[]string{"mail"}, "mail"},
		"a partner's too": {[]string{"--smtp", "127.0.0.1:0", "--aurora", mail}, "--aurora"},
	} {
		t.Run(name, func(t *testing.T) {
			authority, err := certs.Dev(filepath.Join(t.TempDir(), "certs"), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			files, err := authority.Leaf("sandbox", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			args := append([]string{"sandbox", "--addr", "127.0.0.1:0", "--cert", files.Cert, "--key", files.Key}, c.args...)
			if code := run(t.Context(), args, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, stderr %q, want 1 and one that says %q", code, stderr.String(), c.says)
			}
		})
	}
}
