package pipeline

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Redirect sends callers elsewhere. The host is the policy's or the one asked;
// no byte of a request decides it.
type Redirect struct {
	// Status is 301, 302, 303, 307 or 308.
	Status int
	origin string // https://www.hotel.test, or empty for the host asked
	path   Template
}

// NewRedirect reads where to: a path, or a URL of scheme, host and path, with
// parameters of the route's pattern in the path.
func NewRedirect(to, pattern string, status int) (*Redirect, error) {
	switch status {
	case 301, 302, 303, 307, 308:
	default:
		return nil, fmt.Errorf("a redirect has the status 301, 302, 303, 307 or 308, not %d", status)
	}
	r := &Redirect{Status: status}
	path := to
	if scheme, rest, ok := strings.Cut(to, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		r.origin, path = scheme+"://"+host, rest[len(host):]
		u, err := url.Parse(r.origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Host != host || strings.ContainsAny(host, `{}*?#\`) {
			return nil, fmt.Errorf("%q is not where a redirect can go: write a path, or https://host/path", to)
		}
		if path == "" {
			path = "/"
		}
	}
	var err error
	r.path, err = NewTemplate(path, pattern)
	return r, err
}

// Location is where a request is sent; the query goes along as it was.
func (r *Redirect) Location(params Params, query string) (string, error) {
	path := r.path.Path(params)
	if strings.HasPrefix(path, "//") {
		return "", errors.New("a parameter is empty: the location would name another host")
	}
	if query != "" {
		path += "?" + query
	}
	return r.origin + path, nil
}
