package issue

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// idTokenLife is short: an ID token tells a client once who has signed in.
const idTokenLife = 5 * time.Minute

// idTokenType keeps ID tokens and access tokens apart, whoever mixes them up.
const idTokenType = "JWT"

// Person is what an ID token may say about who signed in.
type Person struct {
	Email    string
	Verified bool
	// Nonce is the client's, from the authorization request; empty for none.
	Nonce string
}

// idClaims are those of OpenID Connect Core 2.
type idClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	AuthTime int64  `json:"auth_time"`
	Nonce    string `json:"nonce,omitempty"`
	Email    string `json:"email,omitempty"`
	Verified *bool  `json:"email_verified,omitempty"`
}

// IDToken tells the client who has signed in, when its scopes hold openid;
// otherwise it is empty. The address is in it only with the scope email.
func (i *Issuer) IDToken(client Client, s SignIn, who Person) (string, error) {
	if !slices.Contains(s.Scopes, OpenIDScope) {
		return "", nil
	}
	now := i.now()
	c := idClaims{
		Issuer: i.url, Subject: s.Subject, Audience: client.ID, Expires: now.Add(idTokenLife).Unix(), Issued: now.Unix(),
		AuthTime: s.AuthTime.Unix(), Nonce: who.Nonce,
	}
	if slices.Contains(s.Scopes, EmailScope) {
		c.Email, c.Verified = who.Email, &who.Verified
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode an ID token: %w", err)
	}
	return i.ring.Sign(idTokenType, payload)
}
