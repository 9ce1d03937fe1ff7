package accounts

import (
	"bytes"
	"html/template"
	"strings"
)

// letter is what a mail says. Nothing in it was typed by anybody: a stranger
// who signs up with another's address must not be able to write to them.
type letter struct {
	Subject string
	Says    []string
	// Button and Link are what to click; the link is complete.
	Button, Link string
	// After stands below the link.
	After []string
}

func verifyLetter(issuer, token string) letter {
	return letter{
		Subject: "Confirm your e-mail address",
		Says: []string{
			"Somebody, most likely you, has made an account with this e-mail address.",
			"To confirm that the address is yours, open this page and type the password you chose. The link is good for one day, and once.",
		},
		Button: "Confirm the address", Link: issuer + "/verify?token=" + token,
		After: []string{"If it was not you, do nothing: without your confirmation the account cannot be used, and it is deleted after a week."},
	}
}

func existsLetter(issuer string) letter {
	return letter{
		Subject: "You already have an account",
		Says: []string{
			"Somebody, most likely you, has tried to make an account with this e-mail address. You already have one, and nothing about it was changed.",
			"If you have forgotten the password, choose a new one on this page.",
		},
		Button: "Choose a new password", Link: issuer + "/reset",
		After: []string{"If it was not you, you need not do anything."},
	}
}

func resetLetter(issuer, token string) letter {
	return letter{
		Subject: "Choose a new password",
		Says: []string{
			"Somebody, most likely you, wants to choose a new password for the account with this e-mail address.",
			"Do that on this page. The link is good for one hour, and once.",
		},
		Button: "Choose a new password", Link: issuer + "/reset/confirm?token=" + token,
		After: []string{"If it was not you, do nothing: your password stays as it is. Nobody can use this link who cannot read your mail."},
	}
}

func (l letter) text(issuer string) string {
	parts := append([]string{}, l.Says...)
	parts = append(parts, l.Link)
	parts = append(parts, l.After...)
	parts = append(parts, "Portcullis, "+issuer)
	return strings.Join(parts, "\n\n") + "\n"
}

const letterHTML = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Letter.Subject}}</title></head>
<body style="margin:0;padding:24px;background:#f3f5f8;color:#1b2430;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif">
<div style="max-width:32em;margin:0 auto;padding:32px;background:#ffffff;border:1px solid #d9dfe7;border-radius:12px">
<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">{{.Letter.Subject}}</h1>
{{range .Letter.Says}}<p style="margin:0 0 16px">{{.}}</p>
{{end}}<p style="margin:24px 0"><a href="{{.Letter.Link}}" style="display:inline-block;padding:12px 20px;border-radius:8px;background:#1f5fbf;color:#ffffff;text-decoration:none;font-weight:600">{{.Letter.Button}}</a></p>
{{range .Letter.After}}<p style="margin:0 0 16px;color:#54606f">{{.}}</p>
{{end}}<p style="margin:24px 0 0;color:#54606f;font-size:14px">Portcullis, {{.Issuer}}</p>
</div></body></html>
`

func (l letter) html(issuer string) (string, error) {
	t, err := template.New("letter").Parse(letterHTML)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct {
		Letter letter
		Issuer string
	}{l, issuer})
	return out.String(), err
}
