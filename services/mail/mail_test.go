package mail

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestNewRefusesWhatCannotSendSafely(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		says   string
	}{
		"a server without a port":      {Config{Addr: "mail.test", From: "a@b.test"}, "mail.test"},
		"a port that is no number":     {Config{Addr: "mail.test:smtp", From: "a@b.test"}, "mail.test:smtp"},
		"a sender with a name":         {Config{Addr: "mail.test:25", From: "Hotel <a@b.test>"}, "Hotel"},
		"a sender with a second line":  {Config{Addr: "mail.test:25", From: "a@b.test\r\nBcc: c@d.test"}, "plain address"},
		"certificates nobody looks at": {Config{Addr: "mail.test:25", From: "a@b.test", TLS: &tls.Config{InsecureSkipVerify: true}}, "must be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}
