package policy

import (
	"fmt"
	"net/textproto"
	"strings"

	"go.yaml.in/yaml/v4"
)

// fieldsOf reads header fields and their values. Their names are compared
// without regard to case (RFC 9110 section 5.1).
func fieldsOf(into *[]Field, value func(*Value[string]) reader) reader {
	r := mapOfValues("fields", value, func(name string, at Pos, v Value[string]) {
		*into = append(*into, Field{at, textproto.CanonicalMIMEHeaderKey(name), v})
	})
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		first := len(*into)
		read(d, n)
		seen := map[string]Pos{}
		for _, f := range (*into)[first:] {
			if other, twice := seen[f.Name]; twice {
				d.report(f.Pos, CodeDuplicate, fmt.Sprintf("the field %s stands twice", f.Name), "first at "+other.String(), "leave one of them out")
			}
			seen[f.Name] = f.Pos
		}
	}
	return r
}

// secretFields reads what an upstream is sent. A secret that stands there by
// mistake is shown by no mistake: those are logged, and shown in reviews.
func secretFields(into *[]Field) reader {
	r := fieldsOf(into, secret)
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		read(d, n)
		for _, f := range *into {
			if f.isBare() {
				d.conceal(f.Value.Pos)
			}
		}
	}
	return r
}

// isBare reports whether a field whose name says that it holds a secret holds
// anything but a reference to one.
func (f Field) isBare() bool {
	return f.Value.Set && isSecretName(f.Name) && !strings.Contains(f.Value.V, secretBegin)
}

// conceal takes a line out of what mistakes show.
func (d *decoder) conceal(at Pos) {
	if s := d.doc.sources[at.File]; s != nil && at.Line >= 1 && at.Line <= len(s.lines) {
		s.lines[at.Line-1] = "…"
	}
	for i, m := range d.mistakes {
		if m.Pos.File == at.File && m.Pos.Line == at.Line {
			d.mistakes[i].Source = nil
		}
	}
}

// secretBegin opens a reference to a file that holds a secret.
const secretBegin = "${file:"

// secret reads the value of a field that an upstream is sent: a text in which
// ${file:PATH} stands for what a file holds. The file is not read here.
func secret(v *Value[string]) reader {
	read := func(d *decoder, n *yaml.Node) {
		if !d.scalar(n, "a text", "!!str") {
			return
		}
		if why := wrongReference(n.Value); why != "" {
			d.report(d.pos(n), CodeEnvironment, "a reference that cannot be followed", why, "write ${file:/run/secrets/NAME}")
			return
		}
		if value, ok := accept(d, n, n.Value, parseText); ok {
			*v = Value[string]{V: value, Pos: d.pos(n), Set: true}
		}
	}
	return reader{read: read, schema: text(v).schema}
}

// secretFile reads a secret that stands in a file and nowhere else. What stands
// there in its place may be the secret itself, and is shown by no mistake.
func secretFile(v *Value[string]) reader {
	r := secret(v)
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && !isReference(n.Value) {
			at := d.pos(n)
			d.report(at, CodeUnprotected, "this would be a secret that everyone who reads the policy can see", "",
				"put it in a file and write ${file:/run/secrets/NAME}; replace the one that stood here: it is no longer a secret")
			d.conceal(at)
			return
		}
		read(d, n)
	}
	return r
}

// isReference reports whether a value is one ${file:PATH} and nothing else.
func isReference(value string) bool {
	path, isFile := strings.CutPrefix(value, secretBegin)
	return isFile && strings.IndexByte(path, '}') == len(path)-1
}

// wrongReference tells why the references in a value cannot be followed, or
// nothing.
func wrongReference(value string) string {
	for {
		_, rest, found := strings.Cut(value, "${")
		if !found {
			return ""
		}
		reference, after, closed := strings.Cut(rest, "}")
		path, isFile := strings.CutPrefix("${"+reference, secretBegin)
		switch {
		case !closed:
			return "a reference is opened and not closed"
		case !isFile:
			return "a file alone may hold what stands here"
		case strings.TrimSpace(path) == "":
			return "there is no path"
		}
		value = after
	}
}

// fieldName checks that a name can be a header field's (RFC 9110 section 5.1).
func (v *validator) fieldName(at Pos, name string) bool {
	if isToken(name) {
		return true
	}
	v.report(at, CodeField, fmt.Sprintf("%q is not the name of a header field", name), "", "letters, digits and dashes, such as X-Tenant")
	return false
}

func isToken(s string) bool {
	if s == "" || len(s) > tokenLongest {
		return false
	}
	for i := range len(s) {
		if !isLower(s[i]|0x20) && !isDigit(s[i]) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(s[i])) {
			return false
		}
	}
	return true
}

// fieldsOfAnswers checks what a policy sets and removes on answers.
func (v *validator) fieldsOfAnswers(f Fields) {
	v.fields(f, func(name string) string {
		switch {
		case strings.HasPrefix(name, "Ratelimit"):
			return "it tells what the limits have counted"
		case strings.HasPrefix(name, "Access-Control-"):
			return "cors says what stands there"
		}
		return ""
	})
}

// fieldsOfRequests checks what a policy sets and removes on what an upstream is
// sent.
func (v *validator) fieldsOfRequests(r *Route) {
	v.fields(r.Request.Fields, func(name string) string {
		switch {
		case name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-"):
			return "it tells where the request came from"
		case name == "Traceparent" || name == "Tracestate" || name == "Expect":
			return "it is written anew"
		case strings.Contains(name, "_"):
			return "some servers read an underscore as a dash"
		}
		return ""
	})
	for _, f := range r.Request.Set {
		switch {
		case f.Name == "Idempotency-Key" || f.Name == "X-Idempotency-Key":
			v.noSay(f.Pos, f.Name, "requests would be taken for ones that may be sent twice")
		case f.Name == "Authorization" && v.credentialOf(r.Upstream.V).Set:
			v.report(f.Pos, CodeConflict, fmt.Sprintf("upstream %q has a credential, and the route sets another", r.Upstream.V),
				"the credential stands at "+v.credentialOf(r.Upstream.V).Pos.String(), "leave one of them out")
		case f.isBare():
			v.report(f.Value.Pos, CodeUnprotected, fmt.Sprintf("the field %s would hold a secret that everyone who reads the policy can see", f.Name), "",
				"put it in a file and write ${file:/run/secrets/NAME}; replace the one that stood here: it is no longer a secret")
		}
	}
	for _, name := range r.Request.Remove {
		if textproto.CanonicalMIMEHeaderKey(name.V) == "Authorization" {
			v.noSay(name.Pos, "Authorization", "the upstream's credential says what stands there")
		}
	}
}

// credentialOf is what an upstream is shown, if anything.
func (v *validator) credentialOf(upstream string) Value[string] {
	for _, u := range v.doc.Upstreams {
		if u.Name.V == upstream {
			return first(u.Exchange, u.Client)
		}
	}
	return Value[string]{}
}

// isSecretName reports whether what stands in a field of that name is a secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return name == "authorization" || name == "cookie" ||
		strings.Contains(name, "token") || strings.Contains(name, "secret") || strings.Contains(name, "password") || strings.Contains(name, "key")
}

// fields checks names and values; other tells why further names are not a
// policy's to say.
func (v *validator) fields(f Fields, other func(name string) string) {
	check := func(at Pos, name string) {
		if !v.fieldName(at, name) {
			return
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		why := other(name)
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
			"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Content-Length", "Host":
			why = "it belongs to the connection"
		case "X-Request-Id":
			why = "it names the request in events"
		}
		if strings.HasPrefix(name, "Portcullis-") {
			why = "it is the gateway's own"
		}
		if why != "" {
			v.noSay(at, name, why)
		}
	}
	for _, s := range f.Set {
		check(s.Pos, s.Name)
		if strings.ContainsFunc(s.Value.V, func(r rune) bool { return r < ' ' || r > '~' }) {
			v.report(s.Value.Pos, CodeField, fmt.Sprintf("%q cannot be the value of a header field", s.Value.V), "", "write visible ASCII: who reads more than that reads it differently from others")
		}
	}
	for _, name := range f.Remove {
		check(name.Pos, name.V)
	}
}

func (v *validator) noSay(at Pos, name, why string) {
	v.report(at, CodeField, fmt.Sprintf("a policy cannot set or remove the field %s", name), why, "leave it out")
}
