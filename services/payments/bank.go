package payments

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"portcullis/services/hotel"
)

const (
	// defaultBankTimeout bounds one exchange with the bank, attempts and all.
	// Callers need not wait so long: what they void meanwhile stays voided.
	defaultBankTimeout = 5 * time.Second
	// bankAttempts is how often a charge is sent within that time; the bank knows
	// it again by its key. The worker comes back later.
	bankAttempts = 2
	bankPause    = 100 * time.Millisecond
	// maxBankAnswer bounds what the bank may say, in bytes.
	maxBankAnswer   = 16 << 10
	bankConnections = 32
	connectTimeout  = 2 * time.Second
)

// BankConfig says where the bank is.
type BankConfig struct {
	// URL is its https address, without a path.
	URL string
	// TLS says whom to trust; nil is the system's authorities.
	TLS *tls.Config
	// Key, if set, reads the API key, for each request.
	Key func() (string, error)
	// Timeout bounds one exchange with it; 5 s when zero.
	Timeout time.Duration
}

// bank speaks to the bank.
type bank struct {
	config BankConfig
	base   *url.URL
	http   *http.Client
}

func newBank(c BankConfig) (*bank, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || (base.Path != "" && base.Path != "/") || base.RawQuery != "" {
		return nil, fmt.Errorf("the address %q of the bank must be https://HOST[:PORT] without a path", c.URL)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultBankTimeout
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.TLS.InsecureSkipVerify {
		return nil, errors.New("the bank's certificate must be checked: InsecureSkipVerify is set")
	}
	return &bank{config: c, base: base, http: &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        c.TLS.Clone(), // http.Transport writes ALPN into it
			ForceAttemptHTTP2:      true,
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConnsPerHost:    bankConnections,
			MaxConnsPerHost:        bankConnections,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true,
		},
		// A redirect would carry a card somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (b *bank) close() { b.http.CloseIdleConnections() }

// outcome is what the bank says of a key.
type outcome string

// What the bank can say.
const (
	bankApproved outcome = "approved"
	bankDeclined outcome = "declined"
	bankVoided   outcome = "voided"
	bankRefunded outcome = "refunded"
	// bankNever: it has not heard of the key, so far.
	bankNever outcome = "unknown"
)

// String is fit for a log: of what the bank says only the words we know. It was
// sent a card, and may repeat it.
func (o outcome) String() string {
	switch o {
	case bankApproved, bankDeclined, bankVoided, bankRefunded, bankNever:
		return string(o)
	}
	return "nothing we know"
}

// answer is what the bank answers.
type answer struct {
	ID     string  `json:"id"`
	Status outcome `json:"status"`
	Reason string  `json:"reason"`
}

// charge has a card charged. Any error leaves unknown what became of it.
func (b *bank) charge(ctx context.Context, key string, amount hotel.Money, card hotel.Card) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	body := struct {
		Amount   int64      `json:"amount"`
		Currency string     `json:"currency"`
		Card     hotel.Card `json:"card"`
	}{amount.Amount, amount.Currency, card}
	var last error
	for range bankAttempts {
		status, got, err := b.do(ctx, http.MethodPost, "/charges", key, body)
		switch {
		case err == nil && status == http.StatusCreated && got.Status == bankApproved:
			return got, nil
		case err == nil && status == http.StatusPaymentRequired && got.Status == bankDeclined:
			return got, nil
		case err == nil:
			err = fmt.Errorf("the bank answered %d and %s", status, got.Status)
		}
		last = err
		if status != 0 && status != http.StatusBadGateway && status != http.StatusServiceUnavailable && status != http.StatusGatewayTimeout {
			break // it would say the same again
		}
		select {
		case <-ctx.Done():
			return answer{}, last
		case <-time.After(bankPause):
		}
	}
	return answer{}, last
}

// ask asks what became of a key.
func (b *bank) ask(ctx context.Context, key string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	status, got, err := b.do(ctx, http.MethodGet, "/charges/"+key, "", nil)
	switch {
	case err != nil:
		return answer{}, err
	case status == http.StatusNotFound && got.Status == bankNever:
		return got, nil
	case status == http.StatusOK:
		switch got.Status {
		case bankApproved, bankDeclined, bankVoided, bankRefunded:
			return got, nil
		}
	}
	return answer{}, fmt.Errorf("asked for a charge, the bank answered %d and %s", status, got.Status)
}

// void has the bank give back what it took under a key, and take nothing under
// it any more.
func (b *bank) void(ctx context.Context, key string) error {
	return b.tell(ctx, key, "/void", struct{}{}, bankVoided)
}

// refund gives back what was charged under a key.
func (b *bank) refund(ctx context.Context, key string, amount int64) error {
	return b.tell(ctx, key, "/refund", struct {
		Amount int64 `json:"amount"`
	}{amount}, bankRefunded)
}

func (b *bank) tell(ctx context.Context, key, what string, body any, want outcome) error {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	status, got, err := b.do(ctx, http.MethodPost, "/charges/"+key+what, key, body)
	if err == nil && (status != http.StatusOK || got.Status != want) {
		err = fmt.Errorf("told to %s, the bank answered %d and %s", what[1:], status, got.Status)
	}
	return err
}

// do makes one request. The status is 0 when there was no answer. Errors name
// the key, never what was sent. A key was checked: it needs no escaping.
func (b *bank) do(ctx context.Context, method, path, key string, body any) (status int, got answer, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, answer{}, errors.New("a request to the bank cannot be written")
	}
	r, err := http.NewRequestWithContext(ctx, method, b.base.JoinPath(path).String(), bytes.NewReader(raw))
	if err != nil {
		return 0, answer{}, err
	}
	if body == nil {
		r.Body, r.ContentLength, r.GetBody = http.NoBody, 0, nil
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if b.config.Key != nil {
		secret, err := b.config.Key()
		if err != nil {
			return 0, answer{}, err
		}
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return 0, answer{}, fmt.Errorf("call the bank: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxBankAnswer+1))
	if err != nil {
		return 0, answer{}, fmt.Errorf("read the bank's answer: %w", err)
	}
	if len(said) > maxBankAnswer || json.Unmarshal(said, &got) != nil {
		// A status alone is not believed: a proxy's 404 must not void a charge.
		return resp.StatusCode, answer{}, fmt.Errorf("the bank answered %d with something that is not its JSON", resp.StatusCode)
	}
	return resp.StatusCode, got, nil
}
