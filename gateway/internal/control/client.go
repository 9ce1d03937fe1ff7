package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"portcullis/gateway/internal/pipeline"
)

// answerMost bounds an answer, in bytes: a thousand decisions are a few hundred
// kilobytes.
const answerMost = 16 << 20

// Client asks a running gateway. Its errors say what to do.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the socket at path; it connects with each call.
func NewClient(path string) *Client {
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

// Reload tells the gateway to load its policies. skip is the reason to take them
// untested, empty to run their tests.
func (c *Client) Reload(ctx context.Context, skip string) (done Reloaded, err error) {
	body := "{}"
	if skip != "" {
		text, err := json.Marshal(asked{SkipTests: &skip})
		if err != nil {
			return done, err
		}
		body = string(text)
	}
	err = c.ask(ctx, http.MethodPost, "/reload", body, &done)
	return done, err
}

// Explain asks why a request was decided as it was.
func (c *Client) Explain(ctx context.Context, id string) (e pipeline.Explained, err error) {
	err = c.ask(ctx, http.MethodGet, "/decisions/"+id, "", &e)
	return e, err
}

// Decisions lists recent decisions, the newest first.
func (c *Client) Decisions(ctx context.Context, wanted Wanted) ([]pipeline.Explained, error) {
	var list Decisions
	err := c.ask(ctx, http.MethodGet, "/decisions?"+wanted.query().Encode(), "", &list)
	return list.Decisions, err
}

func (c *Client) ask(ctx context.Context, method, target, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+target, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no gateway listens on %q: start one with serve --control, or name its socket with --control", c.path)
	case err != nil:
		return fmt.Errorf("asking the gateway on %q: %w", c.path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerMost))
	if err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnprocessableEntity {
		var no refusal
		if err := json.Unmarshal(text, &no); err != nil || no.Error == "" {
			return fmt.Errorf("the gateway answered %s", res.Status)
		}
		return &Refused{Status: res.StatusCode, Text: no.Error}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the gateway's answer cannot be read: %w", err)
	}
	return nil
}

// Refused is a question that the gateway has no answer to.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string { return r.Text }
