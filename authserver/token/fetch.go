package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	// maxDocument bounds a key set or discovery document; the largest seen in
	// the wild has 30 KiB.
	maxDocument = 256 << 10
	// attemptTimeout bounds one request for keys, fetchTimeout one fetch with
	// discovery and retries; an issuer that trickles bytes holds one
	// goroutine for that long.
	attemptTimeout = 3 * time.Second
	fetchTimeout   = 8 * time.Second
	fetchRetries   = 2
	retryWaitMin   = 100 * time.Millisecond
	retryWaitMax   = time.Second
	// maxError bounds what a log repeats of an issuer's answer.
	maxError = 200

	defaultRefresh = 5 * time.Minute
	minRefresh     = 30 * time.Second
	maxRefresh     = 15 * time.Minute
)

// fetcher gets one issuer's key set.
type fetcher struct {
	issuer string
	jwks   string // empty: by discovery
	found  string // what discovery said last; only ever used by one flight at a time
	client *http.Client
}

func newFetcher(issuer, jwks string, base *http.Client) *fetcher {
	if base == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxResponseHeaderBytes = 64 << 10
		base = &http.Client{Transport: transport}
	}
	inner := base.Transport
	if inner == nil {
		inner = http.DefaultTransport
	}
	retry := retryablehttp.NewClient()
	retry.Logger = nil // it would log URLs at every try; failures are reported once, by us
	retry.RetryMax = fetchRetries
	retry.RetryWaitMin, retry.RetryWaitMax = retryWaitMin, retryWaitMax
	retry.Backoff = func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
		// An issuer's Retry-After may say a year; the flight has seconds.
		return min(retryablehttp.DefaultBackoff(least, most, attempt, resp), most)
	}
	retry.ErrorHandler = retryablehttp.PassthroughErrorHandler
	retry.HTTPClient = &http.Client{
		Transport: bounded{inner},
		Timeout:   attemptTimeout,
		// Keys come from the address that configuration names and from nowhere
		// an answer may point to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client := retry.StandardClient()
	client.CheckRedirect = retry.HTTPClient.CheckRedirect
	return &fetcher{issuer: issuer, jwks: jwks, client: client}
}

// fetch returns the keys and how long they may be taken for fresh.
func (f *fetcher) fetch(ctx context.Context) (verifyKeys, time.Duration, error) {
	address := f.jwks
	if address == "" {
		if f.found == "" {
			if err := f.discover(ctx); err != nil {
				return nil, 0, err
			}
		}
		address = f.found
	}
	keys, fresh, err := f.get(ctx, address)
	if err != nil {
		f.found = "" // the issuer may have moved its keys: ask again next time
		return nil, 0, err
	}
	return keys, fresh, nil
}

// discover asks the issuer where its keys are (OpenID Connect Discovery 4). The
// document must name the issuer we asked, or a stranger's keys would be ours.
func (f *fetcher) discover(ctx context.Context) error {
	var document struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := discover(ctx, f.client, f.issuer, &document); err != nil {
		return err
	}
	if err := checkURL(document.JWKS); err != nil {
		return fmt.Errorf("discover issuer %s: jwks_uri %w", f.issuer, err)
	}
	f.found = document.JWKS
	return nil
}

func discover(ctx context.Context, client *http.Client, issuer string, document any) error {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return fmt.Errorf("discover issuer %s: %s", issuer, clip(err))
	}
	if err := provider.Claims(document); err != nil {
		return fmt.Errorf("discover issuer %s: %s", issuer, clip(err))
	}
	return nil
}

func (f *fetcher) get(ctx context.Context, address string) (verifyKeys, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys from %s: %s", address, clip(err))
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys from %s: %s", address, clip(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("fetch keys from %s: the answer is %s", address, resp.Status)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys from %s: %s", address, clip(err))
	}
	keys, err := readKeys(data)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys from %s: %w", address, err)
	}
	return keys, freshness(resp.Header), nil
}

// freshness is the answer's max-age within our bounds.
func freshness(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
			return min(max(time.Duration(seconds)*time.Second, minRefresh), maxRefresh)
		}
	}
	return defaultRefresh
}

// checkURL accepts https, and http where no network is crossed.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not the URL of a web server", address)
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q must be https: whoever can change the keys on the way can make tokens", address)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// clip shortens an error that may quote an issuer's answer at length.
func clip(err error) string {
	s := strings.ToValidUTF8(err.Error(), "?")
	if len(s) > maxError {
		s = s[:maxError] + "..."
	}
	return s
}

// bounded fails the reading of a body beyond maxDocument, before whoever reads
// it has taken it into memory.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxDocument}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

var errTooLarge = errors.New("the answer is larger than 256 KiB")

func (b *boundedBody) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
