package edge

import (
	"errors"
	"net/http"
)

// oneHost refuses a Host field beside an :authority that names somebody else
// (RFC 9113 section 8.3.1): who reads the one and who reads the other would
// serve different sites. Only HTTP/2 can say it twice; net/http settles it in
// HTTP/1.1.
func oneHost(r *http.Request) error {
	for _, host := range r.Header["Host"] {
		if host != r.Host {
			return errors.New("the Host field is not the :authority")
		}
	}
	delete(r.Header, "Host") // as in HTTP/1.1, it stands in r.Host
	return nil
}
