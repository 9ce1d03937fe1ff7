package edge

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Upgrader answers plain HTTP, and with nothing but redirects to https of the
// same host. No stage is asked and no service is reached: whoever listens on the
// way has read what a client sends here, so that nothing sent here counts.
type Upgrader struct {
	current *pipeline.Current
	answers *prometheus.CounterVec
}

// NewUpgrader returns the handler of the plain listener; what it answers is
// counted at metrics.
func NewUpgrader(current *pipeline.Current, metrics prometheus.Registerer) (*Upgrader, error) {
	if current == nil || metrics == nil {
		return nil, errors.New("edge: current and metrics are both required")
	}
	u := &Upgrader{current, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "portcullis_plain_requests_total",
		Help: "Requests by plain HTTP, by the status they were answered with; 308 is the redirect to https.",
	}, []string{"status"})}
	return u, metrics.Register(u.answers)
}

// ServeHTTP redirects with 308 whatever the method: 301 and 302 would turn a POST
// into a GET on its way, and the page behind would answer to something else than
// was asked (RFC 9110 section 15.4.9).
func (u *Upgrader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// One answer is all there is to get here; nobody may wait for a second.
	w.Header()["Connection"] = []string{"close"}
	to, denial := u.location(r)
	if denial != nil {
		u.answers.WithLabelValues(strconv.Itoa(denial.Status())).Inc()
		problem.Write(w, r, denial, newID())
		return
	}
	u.answers.WithLabelValues("308").Inc()
	w.Header()["Location"] = []string{to}
	w.Header()["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// location is the address of r by https: a host that is served, the canonical
// path, the query as it was.
func (u *Upgrader) location(r *http.Request) (string, *problem.Problem) {
	s := u.current.Load()
	if s == nil {
		return "", problem.New(problem.Unavailable, "").With("Retry-After", "1")
	}
	host, ok := canonicalHost(r.Host)
	if !ok || !s.Hosts[host] {
		return "", problem.New(problem.WrongHost, "")
	}
	path, query, slash, err := target(r.RequestURI)
	if err == nil {
		err = new(pipeline.Transaction).ReadQuery(query)
	}
	if route, _ := s.Match(host, r.Method, path, nil); err == nil && slash && (route == nil || !route.EncodedSlash) {
		err = errSlash
	}
	if err != nil {
		return "", ambiguous(err)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if s.HTTPS != 443 {
		host += ":" + strconv.Itoa(s.HTTPS)
	}
	if query != "" {
		query = "?" + query
	}
	return "https://" + host + path + query, nil
}
