package recent

import (
	"errors"
	"net/http"
	"net/url"

	"portcullis/gateway/internal/pipeline"
)

// Why a request can be told in one line only.
var (
	// ErrReplaced is for requests whose policy is not held any more.
	ErrReplaced = errors.New("the policy it was decided by has been replaced since, so its stages cannot be asked again")
	// ErrReads is for requests whose route has a condition that reads more of a
	// request than may be kept.
	ErrReads = errors.New("a condition of the route reads any field of a request, which are not remembered, so its stages cannot be asked again")
	// ErrCut is for requests larger than what is remembered of one.
	ErrCut = errors.New("the request was larger than what is remembered of one, so its stages cannot be asked again")
)

// Transaction makes the request again as its stages saw it, for pipeline.Explain.
func (rec Record) Transaction() (*pipeline.Transaction, error) {
	if rec.Snapshot == nil && rec.Policy != "" {
		return nil, ErrReplaced
	}
	if rec.Cut {
		return nil, ErrCut
	}
	tx := &pipeline.Transaction{
		Request: &http.Request{
			Method: rec.Method, URL: &url.URL{Path: rec.Path, RawQuery: rec.Query}, Host: rec.Host, Header: rec.Header,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: rec.Size, Body: http.NoBody,
		},
		Start: rec.Start, ID: rec.ID, Snapshot: rec.Snapshot, Preflight: rec.Preflight, Params: rec.Params, Source: rec.Source, Principal: rec.Principal, Rule: rec.Decision.Rule,
		Limits: rec.Limits, ShadowLimits: rec.ShadowLimits, WAF: rec.WAF, ShadowWAF: rec.ShadowWAF, Validation: rec.Validation, Shadows: rec.Shadows,
	}
	if rec.Named {
		tx.Host = rec.Host
	}
	if rec.Canonical {
		tx.Path = rec.Path
		if path, err := url.PathUnescape(rec.Path); err == nil {
			tx.Request.URL.Path = path
		}
	}
	if err := tx.ReadQuery(rec.Query); err != nil {
		return nil, err
	}
	if tx.Route = rec.route(); tx.Route != nil && tx.Route.Reads.Any {
		return nil, ErrReads
	}
	return tx, nil
}

// route is the one that took the request, nil for none.
func (rec Record) route() *pipeline.Route {
	if rec.Snapshot == nil {
		return nil
	}
	for _, route := range rec.Snapshot.Routes {
		if route.Name == rec.Route {
			return route
		}
	}
	return nil
}
