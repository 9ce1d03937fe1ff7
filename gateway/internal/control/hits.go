package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"portcullis/gateway/internal/hits"
)

// Hits are what the rules of the WAF found most often, the highest count first.
type Hits struct {
	Hits []hits.Row `json:"hits"`
	// All counts the rows there were, those that gave way to others among them.
	All int `json:"all"`
}

// Hits asks what the rules of the WAF found most often since the gateway's
// start; limit is 1 to 1000, 0 is 20.
func (c *Client) Hits(ctx context.Context, limit int) (top Hits, err error) {
	target := "/waf/hits"
	if limit != 0 {
		target += "?" + url.Values{"limit": {strconv.Itoa(limit)}}.Encode()
	}
	err = c.ask(ctx, http.MethodGet, target, "", &top)
	return top, err
}

func (s *Server) hits(w http.ResponseWriter, r *http.Request) {
	limit := lastDefault
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > lastMost {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("limit is %q: it is a number from 1 to %d", text, lastMost))
			return
		}
		limit = n
	}
	top := Hits{Hits: []hits.Row{}}
	if s.top != nil {
		top.Hits, top.All = s.top.Top(limit)
	}
	answer(w, http.StatusOK, top)
}
