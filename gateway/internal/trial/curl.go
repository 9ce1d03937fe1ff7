package trial

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Curl reads a curl command line as it is pasted from a terminal, a browser's
// developer tools or documentation. Options that change nothing of the request
// are passed over; one that is not known, or would read a file, is an error.
// Nothing is sent.
func Curl(command string) (*Described, error) {
	args, err := words(command)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 && args[0] == "$" {
		args = args[1:] // a prompt
	}
	if len(args) == 0 || strings.TrimSuffix(path.Base(args[0]), ".exe") != "curl" {
		return nil, errors.New("the command does not begin with curl")
	}
	c := curl{}
	if err := c.options(args[1:]); err != nil {
		return nil, err
	}
	return c.described()
}

// curl is a command line being read.
type curl struct {
	method, address  string
	fields           [][2]string
	dropped          []string // fields that the command leaves out
	data             []string
	get, json, asIs  bool
	hasData, hasHead bool
}

// options reads all arguments.
func (c *curl) options(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			continue
		case strings.HasPrefix(arg, "--"):
			rest, err := c.long(arg[2:], args)
			if err != nil {
				return err
			}
			args = rest
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			rest, err := c.short(arg[1:], args)
			if err != nil {
				return err
			}
			args = rest
		default:
			if err := c.set("url", arg); err != nil {
				return err
			}
		}
	}
	return nil
}

// short reads a bundle of one-letter options.
func (c *curl) short(bundle string, args []string) ([]string, error) {
	for i := range len(bundle) {
		name, known := shortOptions()[bundle[i]]
		if !known {
			return nil, fmt.Errorf("curl's option -%c is not understood here", bundle[i])
		}
		if !takesValue(name) {
			if err := c.set(name, ""); err != nil {
				return nil, err
			}
			continue
		}
		if value := bundle[i+1:]; value != "" {
			return args, c.set(name, value)
		}
		return c.long(name, args)
	}
	return args, nil
}

// long reads one option by its long name.
func (c *curl) long(name string, args []string) ([]string, error) {
	switch {
	case takesValue(name):
		if len(args) == 0 {
			return nil, fmt.Errorf("curl's option --%s lacks its value", name)
		}
		return args[1:], c.set(name, args[0])
	case isFlag(name):
		return args, c.set(name, "")
	default:
		return nil, fmt.Errorf("curl's option --%.30s is not understood here", name)
	}
}

// set takes one option.
func (c *curl) set(name, value string) error {
	switch name {
	case "request":
		c.method = value
	case "url":
		if c.address != "" {
			// What a forgotten quote leaves over may be a credential.
			return errors.New("the command names two addresses: is a quote missing?")
		}
		c.address = value
	case "header":
		return c.header(value)
	case "user-agent":
		c.fields = append(c.fields, [2]string{"User-Agent", value})
	case "referer":
		c.fields = append(c.fields, [2]string{"Referer", value})
	case "cookie":
		if !strings.Contains(value, "=") {
			return errors.New("curl's option --cookie would read a file: paste the cookies")
		}
		c.fields = append(c.fields, [2]string{"Cookie", value})
	case "user":
		c.fields = append(c.fields, [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(value))})
	case "oauth2-bearer":
		c.fields = append(c.fields, [2]string{"Authorization", "Bearer " + value})
	case "data", "data-ascii", "data-binary", "json", "data-urlencode", "data-raw":
		return c.body(name, value)
	case "get":
		c.get = true
	case "head":
		c.hasHead = true
	case "path-as-is":
		c.asIs = true
	case "compressed":
		c.fields = append(c.fields, [2]string{"Accept-Encoding", "deflate, gzip, br, zstd"})
	case "form", "form-string", "upload-file", "config":
		return fmt.Errorf("curl's option --%s is not understood here: describe the body with --data-raw and a Content-Type", name)
	}
	return nil
}

// header takes "Name: value", "Name;" for an empty one, "Name:" for none.
func (c *curl) header(line string) error {
	if strings.HasPrefix(line, "@") {
		return errors.New("curl's option --header would read a file: paste the fields")
	}
	name, value, ok := strings.Cut(line, ":")
	switch {
	case !ok && strings.HasSuffix(line, ";"):
		c.fields = append(c.fields, [2]string{strings.TrimSuffix(line, ";"), ""})
	case !ok || name == "":
		return errors.New("what follows --header is not Name: value")
	case strings.TrimSpace(value) == "":
		c.dropped = append(c.dropped, strings.ToLower(name))
	default:
		c.fields = append(c.fields, [2]string{name, value})
	}
	return nil
}

func (c *curl) body(option, value string) error {
	if option != "data-raw" && strings.HasPrefix(value, "@") {
		return fmt.Errorf("curl's option --%s would read a file: paste its content", option)
	}
	switch option {
	case "json":
		c.json = true
	case "data-urlencode":
		name, content, named := strings.Cut(value, "=")
		if !named {
			if strings.Contains(value, "@") {
				return errors.New("curl's option --data-urlencode would read a file: paste its content")
			}
			name, content = "", value
		}
		value = url.QueryEscape(content)
		if name != "" {
			value = name + "=" + value
		}
	}
	c.data, c.hasData = append(c.data, value), true
	return nil
}

// described is the request that curl would send.
func (c *curl) described() (*Described, error) {
	if c.address == "" {
		return nil, errors.New("the command names no address")
	}
	separator := "&"
	if c.json {
		separator = ""
	}
	data, method := strings.Join(c.data, separator), "GET"
	switch {
	case c.hasHead:
		method = "HEAD"
	case c.hasData && !c.get:
		method = "POST"
	}
	if c.method != "" {
		method = c.method
	}
	d, err := NewDescribed(method, c.address)
	if err != nil {
		return nil, err
	}
	_, target, _ := strings.Cut(d.Test.Send.V, " ")
	target = escaped(target)
	if !c.asIs {
		target = withoutDots(target)
	}
	if c.get && c.hasData {
		glue := "?"
		if strings.Contains(target, "?") {
			glue = "&"
		}
		target += glue + data
		if strings.ContainsFunc(data, unprintable) {
			return nil, errors.New("what --get puts into the query holds a space or control character: use --data-urlencode")
		}
	}
	d.Test.Send = said(method + " " + target)
	if c.hasData && !c.get {
		d.Test.Body = said(data)
		c.usual("Content-Type", map[bool]string{false: "application/x-www-form-urlencoded", true: "application/json"}[c.json])
	}
	if c.json {
		c.usual("Accept", "application/json")
	}
	c.usual("User-Agent", "curl/8.14.1")
	for _, f := range c.fields {
		d.Add(f[0], f[1])
	}
	return d, nil
}

// escaped is a target with what is not ASCII in it escaped, as curl sends it.
func escaped(target string) string {
	var out strings.Builder
	for _, b := range []byte(target) {
		if b < utf8.RuneSelf {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// usual adds a field that curl sends unless the command says otherwise.
func (c *curl) usual(name, value string) {
	lower := strings.ToLower(name)
	if slices.Contains(c.dropped, lower) || slices.ContainsFunc(c.fields, func(f [2]string) bool { return strings.EqualFold(f[0], name) }) {
		return
	}
	c.fields = append(c.fields, [2]string{name, value})
}

// shortOptions are the one-letter names of options that are understood.
func shortOptions() map[byte]string {
	return map[byte]string{
		'X': "request", 'H': "header", 'd': "data", 'b': "cookie", 'u': "user", 'A': "user-agent", 'e': "referer", 'G': "get", 'I': "head",
		'F': "form", 'T': "upload-file", 'K': "config", 'o': "output", 'w': "write-out", 'm': "max-time", 'E': "cert", 'x': "proxy", 'c': "cookie-jar",
		'k': "insecure", 's': "silent", 'S': "show-error", 'L': "location", 'i': "show-headers", 'v': "verbose", 'f': "fail", 'g': "globoff",
		'4': "ipv4", '6': "ipv6", 'N': "no-buffer", '#': "progress-bar", 'q': "disable", 'O': "remote-name", 'J': "remote-header-name",
	}
}

func takesValue(name string) bool {
	switch name {
	case "request", "url", "header", "user-agent", "referer", "cookie", "user", "oauth2-bearer",
		"data", "data-ascii", "data-binary", "json", "data-urlencode", "data-raw", "form", "form-string", "upload-file", "config",
		// Of these only the value is passed over.
		"output", "write-out", "max-time", "connect-timeout", "cert", "key", "cacert", "capath", "proxy", "cookie-jar", "resolve", "connect-to",
		"retry", "retry-delay", "retry-max-time", "max-redirs", "ciphers", "tls13-ciphers", "interface", "dump-header", "stderr", "trace", "trace-ascii",
		"cert-type", "key-type", "pass", "limit-rate", "keepalive-time", "noproxy", "max-filesize":
		return true
	}
	return false
}

func isFlag(name string) bool {
	switch name {
	case "get", "head", "path-as-is", "compressed",
		"insecure", "silent", "show-error", "location", "location-trusted", "include", "show-headers", "verbose", "fail", "fail-with-body", "globoff",
		"ipv4", "ipv6", "no-buffer", "progress-bar", "disable", "remote-name", "remote-header-name", "http1.0", "http1.1", "http2", "http2-prior-knowledge",
		"http3", "tlsv1.2", "tlsv1.3", "no-keepalive", "no-progress-meter", "tcp-nodelay", "basic", "no-alpn", "styled-output":
		return true
	}
	return false
}
