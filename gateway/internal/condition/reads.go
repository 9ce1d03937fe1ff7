package condition

import (
	"net/http"

	"portcullis/gateway/internal/pipeline"
)

// reads is what a condition looks at by name. One that goes through all fields,
// or takes a name from the request, reads any.
func reads(sights []sight) (r pipeline.Reads) {
	for _, s := range sights {
		switch {
		case s.name != "request.headers" && s.name != "request.query":
		case s.key == "":
			r.Any = true
		case s.name == "request.query":
			r.Query = append(r.Query, s.key)
		case credential(s.key):
			r.Any = true // which nobody may keep
		case !hasUpper(s.key): // no field has a name with a capital here
			r.Headers = append(r.Headers, http.CanonicalHeaderKey(s.key))
		}
	}
	return r
}

// credential names header fields that are never shown and never kept.
func credential(field string) bool {
	return field == "authorization" || field == "proxy-authorization" || field == "cookie"
}

// Reads are the header fields and query parameters the condition looks at.
func (c *Condition) Reads() pipeline.Reads { return c.reads }
