package trial

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Asked is the request that a test describes, without its token, its body, and
// the route that would take it, nil when none would. Nothing is decided.
func (t *Trial) Asked(ctx context.Context, test *policy.Test) (r *http.Request, body string, route *pipeline.Route, err error) {
	if r, err = t.request(ctx, test, ""); err != nil {
		return nil, "", nil, err
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, "", nil, err
	}
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	route, _ = t.Snapshot().Match(host, r.Method, r.URL.EscapedPath(), nil)
	return r, string(text), route, nil
}
