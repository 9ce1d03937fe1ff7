package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// redirectsMost bounds what one request for a sign-in is compared with.
const redirectsMost = 16

// The grants a client may have.
const (
	clientCredentials = "client_credentials"
	authorizationCode = "authorization_code"
	refreshToken      = "refresh_token"
	tokenExchange     = "token_exchange"
)

func (v *validator) client(c *Client) {
	v.duration(c.Lifetime, time.Second, issuedMost)
	v.duration(c.Refresh, time.Minute, refreshMost)
	for _, s := range c.Serves {
		v.visible(s, "an audience")
	}
	v.redirects(c.Redirects)
	v.redirects(c.PostLogout)
	v.signsIn(c)
	v.public(c)
	v.audiences(c)
}

// signsIn checks what belongs to the sign-in of people.
func (v *validator) signsIn(c *Client) {
	if v.doc.partial {
		return // what is missing may stand in what could not be read
	}
	for _, g := range c.Grants {
		switch {
		case g.V == authorizationCode && len(c.Redirects) == 0:
			v.report(g.Pos, CodeMissing, fmt.Sprintf("client %q signs people in and names no address to send them back to", c.Name.V), "", "add redirects: [https://...]")
		case g.V == refreshToken && !c.Has(authorizationCode):
			v.report(g.Pos, CodeMissing, fmt.Sprintf("client %q may renew sign-ins and make none", c.Name.V), "", "add authorization_code, or leave refresh_token out")
		}
	}
	if c.Has(authorizationCode) {
		if c.Refresh.Set && !c.Has(refreshToken) {
			v.report(c.Refresh.Pos, CodeNoEffect, fmt.Sprintf("client %q gets no refresh token whose life this could be", c.Name.V), "", "add the grant refresh_token, or leave this out")
		}
		return
	}
	for _, unused := range slices.Concat(c.Redirects, c.PostLogout) {
		v.report(unused.Pos, CodeNoEffect, fmt.Sprintf("client %q signs nobody in and sends no browser anywhere", c.Name.V), "", "add the grant authorization_code, or leave this out")
	}
	if c.Refresh.Set {
		v.report(c.Refresh.Pos, CodeNoEffect, fmt.Sprintf("client %q makes no sign-in whose life this could be", c.Name.V), "", "add the grants authorization_code and refresh_token, or leave this out")
	}
}

// public checks that a client that proves nothing gets nothing for its name alone.
func (v *validator) public(c *Client) {
	if !c.Public.V {
		return
	}
	for _, g := range c.Grants {
		if g.V == clientCredentials || g.V == tokenExchange {
			v.report(g.Pos, CodeUnprotected, fmt.Sprintf("client %q is public, and %s would give its tokens to whoever knows its name", c.Name.V, g.V), "", "leave the grant out, or leave out public and make a secret")
		}
	}
	if len(c.Keys) > 0 {
		v.report(c.Keys[0].Pos, CodeNoEffect, fmt.Sprintf("client %q is public and is never asked to prove who it is", c.Name.V), "", "leave out public, or the keys")
	}
}

func (v *validator) audiences(c *Client) {
	first := map[string]bool{}
	for _, a := range c.Audiences {
		v.visible(a.Name, "an audience")
		v.scopes(a.Scopes)
		for _, s := range a.Scopes {
			if s.V == "openid" || s.V == "email" || s.V == "offline_access" {
				v.report(s.Pos, CodeChoice, fmt.Sprintf("%q is a scope of sign-ins and no audience's", s.V), "it says nothing about what a token may do",
					"leave it out: whoever has authorization_code may ask for openid and email; refresh tokens come with the grant refresh_token")
			}
		}
		if first[a.Name.V] {
			v.report(a.Name.Pos, CodeDuplicate, fmt.Sprintf("client %q has the audience %q twice", c.Name.V, a.Name.V), "", "put the scopes in one list")
		}
		first[a.Name.V] = true
		v.mayAct(a.MayAct)
	}
}

func (v *validator) mayAct(name Value[string]) {
	v.refers(name, "client", "clients", v.clients)
	i := slices.IndexFunc(v.doc.Clients, func(c *Client) bool { return c.Name.V == name.V })
	if name.Set && i >= 0 && !v.doc.Clients[i].Has(tokenExchange) && !v.doc.partial {
		v.report(name.Pos, CodeNoEffect, fmt.Sprintf("client %q acts for nobody", name.V), "it lacks the grant token_exchange", "give it the grant, or name another client")
	}
}

func (v *validator) redirects(list []Value[string]) {
	if len(list) > redirectsMost {
		v.report(list[redirectsMost].Pos, CodeBounds, fmt.Sprintf("%d addresses are more than are compared with", len(list)), "", fmt.Sprintf("name at most %d", redirectsMost))
	}
	for _, r := range list {
		if why := wrongRedirect(r.V); why != "" {
			v.report(r.Pos, CodeAddress, fmt.Sprintf("a browser cannot be sent to %q", withoutUser(r.V)), why, "write https://app.hotel.test/callback; http is for localhost, 127.0.0.1 and [::1] alone")
		}
	}
}

// wrongRedirect says why a browser must not be sent to an address with a code.
// What a browser reads in another way than whoever wrote the policy could lead
// to another machine or page (RFC 9700 section 4.1).
func wrongRedirect(address string) string {
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c > '~' || c == '\\' {
			return "visible ASCII alone, without a backslash"
		}
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "not a URL"
	case u.Scheme != "https" && u.Scheme != "http" || !strings.HasPrefix(address, u.Scheme+"://"):
		return "the address must begin with https://"
	case u.User != nil:
		return "no user and no password"
	case u.Hostname() == "":
		return "there is no host"
	case strings.Contains(address, "#"):
		return "no fragment"
	case strings.Contains(address, "*"):
		return "no wildcards: an address is compared as it stands"
	case u.Scheme == "http" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" && u.Hostname() != "localhost":
		return "the code would travel in the clear"
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(u.Path, `\`, "/"), "/") {
		if segment == "." || segment == ".." {
			return "no dot segments: a browser takes them out"
		}
	}
	return ""
}
