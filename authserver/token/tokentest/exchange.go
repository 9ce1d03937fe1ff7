package tokentest

import (
	"net/http"
	"time"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
)

// exchange is the token exchange grant (RFC 8693) for an authenticated client,
// which may exchange any of the issuer's own tokens that are alive, whomever
// they are for.
func (i *Issuer) exchange(w http.ResponseWriter, r *http.Request, issuer *issue.Issuer, client issue.Client) {
	i.exchanges.Add(1)
	if r.PostForm.Get("subject_token_type") != token.AccessTokenType {
		refuse(w, &issue.Error{Code: issue.InvalidRequest, Description: "the subject token is not said to be an access token"})
		return
	}
	i.mu.Lock()
	verifier := i.verifier
	i.mu.Unlock()
	subject, err := verifier.Verify(r.Context(), r.PostForm.Get("subject_token"), time.Now())
	if err != nil {
		refuse(w, &issue.Error{Code: issue.InvalidGrant, Description: "the subject token is not one of this issuer that is alive"})
		return
	}
	client.Serves = subject.Audience
	t, err := issuer.Exchange(r.Context(), issue.ExchangeRequest{Request: request(r, client), Subject: subject})
	give(w, t, err, token.AccessTokenType)
}
