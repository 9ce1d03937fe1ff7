package wire

import (
	"fmt"
	"net/url"
	"strconv"
)

const (
	usualPage = 50
	maxPage   = 100
)

// Paging reads the limit of a page, and the id after which it begins: "" for the
// first one. Whether there is such an id is for the caller to say.
func Paging(q url.Values) (limit int, after string, err error) {
	for _, name := range []string{"limit", "after"} {
		if len(q[name]) > 1 {
			return 0, "", Unprocessable(fmt.Errorf("%s is given more than once", name))
		}
	}
	limit = usualPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return 0, "", Unprocessable(fmt.Errorf("limit must be a number from 1 to %d", maxPage))
		}
	}
	return limit, q.Get("after"), nil
}
