package booking

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// notice is a page that says what went wrong and what the guest can do.
type notice struct {
	status int
	// Title says what happened, Text why, Advice what to do.
	Title, Text, Advice string
	// SignIn shows the way to sign in and back.
	SignIn bool
	// Again shows a link to the same page.
	Again bool
	// Retry is the value of Retry-After; empty for none.
	Retry     string
	Reference string
	Art       string
}

// Status is shown small, for those who are asked for it.
func (n *notice) Status() int { return n.status }

// Error makes a notice an error of a handler.
func (n *notice) Error() string { return fmt.Sprintf("%d %s", n.status, n.Title) }

// Wait is Retry as a sentence's part.
func (n *notice) Wait() string {
	seconds, err := strconv.Atoi(n.Retry)
	switch {
	case err != nil || seconds <= 1:
		return "a moment"
	case seconds < 60:
		return fmt.Sprintf("%d seconds", seconds)
	case seconds < 120:
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", (seconds+59)/60)
}

// explain finds the notice for an error; nil when nobody is there to read it.
func (v *visit) explain(err error) *notice {
	if n, ok := errors.AsType[*notice](err); ok {
		return n
	}
	if errors.Is(err, errNoSession) {
		return v.unknown()
	}
	if errors.Is(err, errForm) {
		return &notice{
			status: http.StatusBadRequest, Title: "We could not read that",
			Text: "What your browser sent is not what this page expects.", Advice: "Go back, load the page again and fill in the form once more.",
		}
	}
	status, retry := http.StatusInternalServerError, ""
	if no, ok := errors.AsType[*peer.Refusal](err); ok {
		status = no.Status()
	} else if p, ok := errors.AsType[*problem.Problem](err); ok {
		status, retry = p.Status(), p.Header.Get("Retry-After")
		if p.Code == problem.ClientClosed {
			return nil
		}
		if p.Code == problem.BadGateway && v.withdrawn() {
			return v.unknown()
		}
	} else if v.r.Context().Err() != nil {
		return nil
	}
	n := v.forStatus(status)
	if n.status == http.StatusServiceUnavailable || n.status == http.StatusTooManyRequests {
		n.Retry = retry
		if n.Retry == "" {
			n.Retry = "5"
		}
	}
	return n
}

// withdrawn finds out whether a neighbour did not take our token because the
// guest's sign-in was ended elsewhere: then it cannot be renewed either.
func (v *visit) withdrawn() bool {
	if v.who == nil || v.begun {
		return false
	}
	_, err := v.s.again(v.r.Context(), v.who, v.who.tokens.Access)
	return errors.Is(err, errNoSession)
}

// unknown is for a page that needs to know who the guest is.
func (v *visit) unknown() *notice {
	_, had := held(v.r)
	v.ended()
	if had {
		return &notice{
			status: http.StatusUnauthorized, Title: "You have been signed out",
			Text:   "That happens after a while, for your safety. Nothing you have booked is lost.",
			Advice: "Sign in again and you come straight back to this page.", SignIn: true,
		}
	}
	return &notice{
		status: http.StatusUnauthorized, Title: "Please sign in first",
		Text: "This page is about you and your bookings, so we need to know who you are.", Advice: "You come straight back here afterwards.",
		SignIn: true,
	}
}

func (v *visit) forStatus(status int) *notice {
	switch status {
	case http.StatusUnauthorized:
		return v.unknown()
	case http.StatusForbidden:
		return &notice{
			status: status, Title: "This is not yours to see",
			Text: "You are signed in, but this page belongs to somebody else.", Advice: "If it should be yours, sign out and sign in with the address you booked with.",
		}
	case http.StatusNotFound:
		return &notice{
			status: status, Title: "There is nothing at this address",
			Text: "The link may be old, or a letter was lost on the way.", Advice: "Search for a hotel, or look at your bookings.",
		}
	case http.StatusMethodNotAllowed:
		return &notice{
			status: status, Title: "That does not work here",
			Text: "This page cannot be used in that way.", Advice: "Go back and follow the links and buttons of the pages.",
		}
	case http.StatusConflict:
		return &notice{
			status: status, Title: "Things have changed in the meantime",
			Text: "Somebody, perhaps you in another window, was faster.", Advice: "Load the page again to see how things stand now.", Again: true,
		}
	case http.StatusTooManyRequests:
		return &notice{
			status: status, Title: "One moment, please",
			Text: "That was a lot of requests in a short time.", Again: true,
		}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &notice{
			status: http.StatusServiceUnavailable, Title: "We cannot reach this right now",
			Text: "A part of our house does not answer. Nothing you have booked is lost, and nothing was charged by this.", Again: true,
		}
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusPaymentRequired:
		return &notice{
			status: http.StatusUnprocessableEntity, Title: "That cannot be done as it stands",
			Text: "Something in what was sent does not fit.", Advice: "Go back and check what you filled in.",
		}
	}
	return &notice{
		status: http.StatusInternalServerError, Title: "Something broke on our side",
		Text: "It is not your fault, and somebody will look at it.", Advice: "Try again in a minute. If it goes on, tell us the number below.", Again: true,
	}
}

// nowhere answers what no page serves.
func (s *Service) nowhere(v *visit) error {
	return v.forStatus(http.StatusNotFound)
}
