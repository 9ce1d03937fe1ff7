package control

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/recent"
)

const (
	lastDefault = 20
	lastMost    = 1000
)

// Decisions are recent decisions, the newest first, without their reasons.
type Decisions struct {
	Decisions []pipeline.Explained `json:"decisions"`
}

// Wanted narrows which decisions are listed.
type Wanted struct {
	// Last is how many, 1 to 1000; 0 is 20.
	Last int
	// Decision is allow, deny or fault, Route the name of a route; empty for any.
	Decision, Route string
}

// query is w as a request has it.
func (w Wanted) query() url.Values {
	q := url.Values{}
	if w.Last != 0 {
		q.Set("last", strconv.Itoa(w.Last))
	}
	if w.Decision != "" {
		q.Set("decision", w.Decision)
	}
	if w.Route != "" {
		q.Set("route", w.Route)
	}
	return q
}

// readWanted is the other direction, and strict.
func readWanted(raw string) (w Wanted, err error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return w, fmt.Errorf("the query cannot be read: %w", err)
	}
	w.Last = lastDefault
	for name, values := range q {
		if len(values) != 1 {
			return w, fmt.Errorf("%q is given twice", name)
		}
		switch value := values[0]; name {
		case "last":
			if w.Last, err = strconv.Atoi(value); err != nil || w.Last < 1 || w.Last > lastMost {
				return w, fmt.Errorf("last is %q: it is a number from 1 to %d", value, lastMost)
			}
		case "decision":
			if value != pipeline.Allow.String() && value != pipeline.Deny.String() && value != pipeline.Fault.String() {
				return w, fmt.Errorf("decision is %q: it is allow, deny or fault", value)
			}
			w.Decision = value
		case "route":
			w.Route = value
		default:
			return w, fmt.Errorf("unknown parameter %q: decisions are listed by last, decision and route", name)
		}
	}
	return w, nil
}

func (w Wanted) takes(rec recent.Record) bool {
	return (w.Decision == "" || w.Decision == rec.Decision.Kind.String()) && (w.Route == "" || w.Route == rec.Route)
}

func (s *Server) decisions(w http.ResponseWriter, r *http.Request) {
	wanted, err := readWanted(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.recent == nil {
		refuse(w, http.StatusNotFound, errForgets.Error())
		return
	}
	list := Decisions{Decisions: []pipeline.Explained{}}
	for rec := range s.recent.All() {
		if len(list.Decisions) == wanted.Last {
			break
		}
		if wanted.takes(rec) {
			list.Decisions = append(list.Decisions, rec.Line())
		}
	}
	answer(w, http.StatusOK, list)
}

var errForgets = errors.New("this gateway remembers no decisions: it was started with --recent 0")

func (s *Server) decision(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	if !pipeline.IsID(id) {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%q is not a request id: write its 32 hex digits, as in X-Request-Id", id))
		return
	}
	if s.recent == nil {
		refuse(w, http.StatusNotFound, errForgets.Error())
		return
	}
	rec, ok := s.recent.Find(id)
	if !ok {
		refuse(w, http.StatusNotFound, "no request of this id is remembered: it is too old (serve --recent keeps more), not over yet, or was another gateway's")
		return
	}
	answer(w, http.StatusOK, rec.Explain())
}
