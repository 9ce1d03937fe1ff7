package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"portcullis/authserver/internal/issue"
)

// logout ends a session on a client's wish (OpenID Connect RP-Initiated Logout
// 1.0). With an ID token of ours that fits the session the person need not
// confirm it: without one, any page could sign people out.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	query, err := logoutQuery(w, r)
	if err != nil {
		s.refuseByPage(w, r, err)
		return
	}
	wish, err := s.readLogout(r, query)
	if err != nil {
		s.refuseByPage(w, r, err)
		return
	}
	session, signedIn := s.cfg.People.Current(r)
	switch {
	case !signedIn:
		s.cfg.People.SignedOut(w, r, wish.next)
	case wish.subject == "" || wish.subject != session.Subject:
		s.cfg.People.ConfirmSignOut(w, r, query)
	default:
		err := s.endSignIns(r, wish)
		if err == nil {
			err = s.cfg.People.SignOut(w, r)
		}
		if err != nil {
			s.refuseByPage(w, r, err)
			return
		}
		s.cfg.People.SignedOut(w, r, wish.next)
	}
}

// PostLogout is where somebody who has confirmed a sign-out goes on to, by the
// query of the logout request; empty for nowhere. The query comes back from a
// form, so it is read anew.
func (s *Server) PostLogout(r *http.Request, query string) string {
	wish, err := s.readLogout(r, query)
	if err != nil {
		return ""
	}
	return wish.next
}

// logoutQuery is the request's parameters as a query, from its URL or its body.
func logoutQuery(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Method == http.MethodPost {
		f, err := readBody(w, r)
		if err != nil {
			return "", err
		}
		return url.Values(f.values).Encode(), nil
	}
	if len(r.URL.RawQuery) > queryBytes {
		return "", badRequest("the request is too long")
	}
	return r.URL.RawQuery, nil
}

// wish is what a logout request asks for.
type wish struct {
	// subject is whose session is to end; empty when the client does not say.
	subject string
	client  issue.Client
	// next is where to go then, checked; empty for nowhere.
	next string
}

// readLogout says whose session is to end, at whose wish, and where to go then.
func (s *Server) readLogout(r *http.Request, query string) (wish, error) {
	f, err := parseForm(query)
	if err != nil {
		return wish{}, err
	}
	var out wish
	name := f.get("client_id")
	if hint := f.get("id_token_hint"); hint != "" {
		subject, of, err := s.cfg.Hints.Hint(hint)
		if err != nil {
			no := badRequest("the id_token_hint is not an ID token of ours")
			no.reason = err.Error()
			return out, no
		}
		if name != "" && name != of {
			return out, badRequest("the id_token_hint was made for another client than client_id names")
		}
		out.subject, name = subject, of
	}
	if name != "" {
		var known bool
		if out.client, known, err = s.cfg.Clients.Client(r.Context(), bound(name, idBytes)); err != nil {
			return out, err
		}
		if !known {
			return out, badRequest("there is no such client")
		}
	}
	if out.next = f.get("post_logout_redirect_uri"); out.next == "" {
		return out, nil
	}
	if !slices.Contains(out.client.PostLogout, out.next) {
		return out, badRequest("the post_logout_redirect_uri is not one of the client's")
	}
	if state := bound(f.get("state"), stateBytes); state != "" {
		out.next = withQuery(out.next, url.Values{"state": {state}})
	}
	return out, nil
}

// endSignIns ends what the person granted the client, and brings it into force.
func (s *Server) endSignIns(r *http.Request, w wish) error {
	now := s.now()
	if err := s.cfg.Grants.EndGrants(r.Context(), w.subject, w.client.ID, now, issue.LastExpiry(now)); err != nil {
		return err
	}
	if err := s.cfg.Revocations.Sync(r.Context()); err != nil {
		return err
	}
	return s.record(r, happening{Outcome: success, Client: w.client.ID, Subject: w.subject})
}
