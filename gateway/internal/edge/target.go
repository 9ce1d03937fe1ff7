package edge

import (
	"errors"
	"net/url"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// target cuts the target of a request in its canonical path and its query, which
// is not read here.
func target(uri string) (path, query string, slash bool, err error) {
	if strings.IndexByte(uri, '#') >= 0 {
		return "", "", false, errors.New("the target holds a fragment")
	}
	raw, query, _ := strings.Cut(uri, "?")
	path, slash, err = canonicalPath(raw)
	return path, query, slash, err
}

func ambiguous(why error) *problem.Problem {
	return problem.New(problem.AmbiguousPath, "Send the path and query in their plain spelling: "+why.Error()+".").Because(why)
}

// canonical settles path and query and gives the request that one spelling.
// It reports whether the path holds an escaped slash.
func (h *Handler) canonical(tx *pipeline.Transaction) (slash bool, err error) {
	r := tx.Request
	path, query, slash, err := target(r.RequestURI)
	if err != nil {
		return false, err
	}
	if err := tx.ReadQuery(query); err != nil {
		return false, err
	}
	r.URL.RawQuery = query
	if raw, _, _ := strings.Cut(r.RequestURI, "?"); path != raw {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return false, err
		}
		r.URL.Path, r.URL.RawPath = decoded, ""
		if slash {
			r.URL.RawPath = path
		}
		r.RequestURI = path
		if query != "" {
			r.RequestURI += "?" + query
		}
	}
	tx.Path = path
	return slash, nil
}

// match finds the route and decodes its parameters. A slash is among what is
// decoded only where the route says that its upstream takes one for a name's.
func match(tx *pipeline.Transaction, slash bool) *problem.Problem {
	r := tx.Request
	tx.Route, tx.Params = tx.Snapshot.Match(tx.Host, r.Method, tx.Path, tx.Params)
	preflighted(tx)
	if slash && (tx.Route == nil || !tx.Route.EncodedSlash) {
		tx.Route, tx.Params, tx.Preflight = nil, tx.Params[:0], false
		return ambiguous(errSlash)
	}
	if tx.Route == nil {
		if allowed := tx.Snapshot.Allowed(tx.Host, tx.Path); allowed != "" {
			return problem.New(problem.MethodNotAllowed, "").With("Allow", allowed)
		}
		return problem.New(problem.NotFound, "")
	}
	for i := range tx.Params {
		if strings.IndexByte(tx.Params[i].Value, '%') >= 0 {
			value, err := url.PathUnescape(tx.Params[i].Value)
			if err != nil {
				return problem.New(problem.AmbiguousPath, "").Because(err)
			}
			tx.Params[i].Value = value
		}
	}
	return nil
}
