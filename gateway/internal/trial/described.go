package trial

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portcullis/policies/policy"
)

// Described is a request as somebody tells it at a command line.
type Described struct {
	Test *policy.Test
	// Token, if set, is carried in place of what Test.As describes.
	Token *Token
	// Notes tell what was understood otherwise than it was told.
	Notes []string
	// plain are the claims told as NAME=TEXT, which says no type.
	plain []string
}

// Token is a bearer token that somebody has: it is signed anew with the same
// header and claims, since nobody here can check, or make, its signature.
type Token struct {
	Claims map[string]any
	// Algorithm and Type are those of its header.
	Algorithm, Type string
	// raw is sent as it is when it cannot be read.
	raw string
}

// noteUnchecked says how much a token proves here.
const noteUnchecked = "the token's claims are taken as they stand; nobody has checked its signature"

// NewDescribed is a request by its method and URL, or path.
func NewDescribed(method, address string) (*Described, error) {
	d := &Described{Test: &policy.Test{}}
	if method == "" || strings.ContainsAny(method, " \t\r\n") {
		return nil, fmt.Errorf("%q is not a method, such as GET", method)
	}
	host, target, err := d.split(address)
	if err != nil {
		return nil, err
	}
	d.Test.Send = said(method + " " + target)
	if host != "" {
		d.Test.Host = said(host)
	}
	return d, nil
}

// split takes a URL apart without changing how its path is spelled. No error
// repeats it: there may be a password in it.
func (d *Described) split(address string) (host, target string, err error) {
	address, _, _ = strings.Cut(address, "#")
	if strings.ContainsFunc(address, unprintable) {
		return "", "", errors.New("the address holds a space or control character")
	}
	if strings.HasPrefix(address, "/") {
		return "", address, nil
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "https", address
	}
	if scheme != "https" && scheme != "http" {
		return "", "", errors.New("the address is neither a path nor an https URL")
	}
	if scheme == "http" {
		d.Notes = append(d.Notes, "explained as if asked by https")
	}
	host, target = rest, "/"
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		host, target = rest[:end], rest[end:]
	}
	if strings.HasPrefix(target, "?") {
		target = "/" + target
	}
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
		d.Notes = append(d.Notes, "the name and password in the URL are left out")
	}
	if host == "" {
		return "", "", errors.New("the address names no host")
	}
	return host, target, nil
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f }

// Add puts a header field on the request. A bearer token among them becomes
// the request's token.
func (d *Described) Add(name, value string) {
	name = http.CanonicalHeaderKey(strings.TrimSpace(name))
	value = strings.TrimSpace(value)
	switch name {
	case "Host":
		d.Test.Host = said(value)
		return
	case "Content-Length":
		return // it follows from the body
	case "Authorization":
		if scheme, raw, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			d.bearer(strings.TrimSpace(raw))
			return
		}
	}
	d.Test.Header = append(d.Test.Header, policy.Field{Name: name, Value: said(value)})
}

// bearer reads the claims of a token.
func (d *Described) bearer(raw string) {
	t, err := readToken(raw)
	if err != nil {
		d.Token = &Token{raw: raw}
		d.Notes = append(d.Notes, "the bearer token is sent as it is: "+err.Error())
		return
	}
	d.Token = t
	d.Notes = append(d.Notes, noteUnchecked)
}

// tokenMost bounds a token that is read, in bytes.
const tokenMost = 16 << 10

func readToken(raw string) (*Token, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > tokenMost || len(parts) != 3 {
		return nil, errors.New("it is not a JWT")
	}
	var header struct{ Alg, Typ string }
	t := &Token{raw: raw}
	for i, into := range []any{&header, &t.Claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, errors.New("it is not a JWT")
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			return nil, errors.New("it is not a JWT of JSON")
		}
	}
	if t.Claims == nil {
		return nil, errors.New("it has no claims")
	}
	if t.Algorithm, t.Type = header.Alg, header.Typ; !signable(t.Algorithm) {
		return nil, fmt.Errorf("its algorithm %.16q is not one that issuers may use here", t.Algorithm)
	}
	return t, nil
}

// Claims sets the claims of the token that the request carries, as a JSON
// object; the issuer's profile fills in the rest.
func (d *Described) Claims(text string) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil || claims == nil || decoder.More() {
		return fmt.Errorf("claims: %.60q is not a JSON object, such as {\"sub\": \"g-7\"}", text)
	}
	d.claim(claims)
	return nil
}

// Claim sets one claim from NAME=VALUE. A list, an object, a truth or null in
// JSON is taken as such; any other value has the type that an issuer declares,
// or is a text.
func (d *Described) Claim(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("claim: %.60q is not NAME=VALUE, such as sub=g-7", text)
	}
	var parsed any = value
	if strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{") || value == "true" || value == "false" || value == "null" {
		if err := json.Unmarshal([]byte(value), &parsed); err != nil {
			return fmt.Errorf("claim: the value of %q is not JSON: %w", name, err)
		}
	} else {
		d.plain = append(d.plain, name)
	}
	d.claim(map[string]any{name: parsed})
	return nil
}

// typed gives what was told as NAME=TEXT the type that an issuer declares.
func (d *Described) typed(issuers []*policy.Issuer) {
	for _, i := range issuers {
		for _, c := range i.Claims {
			text, ok := d.Test.As[c.Name].(string)
			if !ok || !slices.Contains(d.plain, c.Name) {
				continue
			}
			switch c.Type.V {
			case "number":
				if n, err := strconv.ParseInt(text, 10, 64); err == nil {
					d.Test.As[c.Name] = n
				}
			case "texts":
				d.Test.As[c.Name] = []any{text}
			}
		}
	}
}

func (d *Described) claim(claims map[string]any) {
	if d.Test.As == nil {
		d.Test.As = map[string]any{}
	}
	for name, value := range claims {
		d.Test.As[name] = value
	}
}

// said is a value that stands in no file.
func said(text string) policy.Value[string] { return policy.Value[string]{V: text, Set: true} }

// withoutDots resolves the dot segments of a target, as curl does before it
// sends (RFC 3986 section 5.2.4).
func withoutDots(target string) string {
	if !strings.Contains(target, "/.") {
		return target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return target
	}
	base := url.URL{Scheme: "https", Host: "localhost"}
	return base.ResolveReference(u).RequestURI()
}
