package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// asker asks a token service, as one client or as several.
type asker struct {
	client *http.Client
	base   string
}

// newAsker returns one that calls from a loopback address of its own, or from
// the usual one when source is nil: limits go by source.
func (s *system) newAsker(i *issuer, source net.IP) *asker {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{}
	if source != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: source}
	}
	return &asker{base: i.url(), client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: s.trust.Clone(), Protocols: protocols, DialContext: dialer.DialContext,
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true,
		IdleConnTimeout: 30 * time.Second, // before the server's: what it closes may be in use again
	}}}
}

// basic is an Authorization field; ours hold nothing that has to be encoded.
func basic(client, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(client+":"+secret))
}

// post sends a form and returns the status and the answer. The server hangs up
// on a connection that was opened and not used for five seconds, as it should,
// and the transport does not try again: so this does, once.
func (a *asker) post(ctx context.Context, path, authorization, form string) (int, []byte, error) {
	status, body, err := a.try(ctx, path, authorization, form)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return a.try(ctx, path, authorization, form)
	}
	return status, body, err
}

func (a *asker) try(ctx context.Context, path, authorization, form string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, strings.NewReader(form))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// token asks for one token.
func (a *asker) token(ctx context.Context, authorization, form string) (string, error) {
	status, body, err := a.post(ctx, "/token", authorization, form)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || answer.Token == "" {
		return "", fmt.Errorf("%s/token: status %d and no token: %s", a.base, status, body)
	}
	return answer.Token, nil
}

// ownToken is the form of a client that asks for itself.
func ownToken(audience string) string {
	return url.Values{"grant_type": {"client_credentials"}, "audience": {audience}}.Encode()
}
