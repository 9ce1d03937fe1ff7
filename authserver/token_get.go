package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"portcullis/authserver/token"
	"portcullis/certs"
)

// tokenTimeout bounds the whole of getting a token.
const tokenTimeout = 10 * time.Second

// tokenRequest is what the flags and the environment of token get say.
type tokenRequest struct {
	url, ca          string
	client           string
	secretEnv        string
	secretFile       string
	keyFile          string
	audience, scopes string
}

func tokenGet() *cobra.Command {
	var q tokenRequest
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Get a token and print it, nothing else",
		Long: `Asks a token service for a token with the client_credentials grant and prints
it. What no flag says is read from the environment: AUTHSERVER_URL, CA_FILE,
CLIENT_ID and CLIENT_SECRET.

  curl -H "Authorization: Bearer $(authserver token get)" ...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := q.get(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.url, "url", "", "the token service's URL (AUTHSERVER_URL)")
	f.StringVar(&q.ca, "ca", "", "a PEM file of the authorities to trust instead of the system's (CA_FILE)")
	f.StringVar(&q.client, "client-id", "", "the client (CLIENT_ID)")
	// No flag takes the secret itself: every user of a machine sees the flags
	// of every process.
	f.StringVar(&q.secretEnv, "client-secret-env", "CLIENT_SECRET", "the environment variable that holds the client's secret")
	f.StringVar(&q.secretFile, "client-secret-file", "", "the file that holds the client's secret")
	f.StringVar(&q.keyFile, "client-key", "", "the file that holds the client's private key (PKCS #8, PEM), for a client that has one in the policy")
	f.StringVar(&q.audience, "audience", "", "whom the token is for; may be left out by a client with one audience")
	f.StringVar(&q.scopes, "scope", "", "scopes, separated by spaces; all that are granted if left out")
	cmd.MarkFlagsMutuallyExclusive("client-secret-env", "client-secret-file", "client-key")
	return cmd
}

func (q tokenRequest) get(ctx context.Context) (string, error) {
	base, err := q.base()
	if err != nil {
		return "", err
	}
	client := fallback(q.client, "CLIENT_ID")
	if client == "" {
		return "", errors.New("the client is not known: give --client-id or set CLIENT_ID")
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: fallback(q.ca, "CA_FILE")}})
	if err != nil {
		return "", err
	}
	config := clientcredentials.Config{
		ClientID: client, TokenURL: base + "/token", AuthStyle: oauth2.AuthStyleInHeader, Scopes: strings.Fields(q.scopes), EndpointParams: url.Values{},
	}
	if err := q.prove(&config, base); err != nil {
		return "", err
	}
	if q.audience != "" {
		config.EndpointParams.Set("audience", q.audience)
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Timeout:   tokenTimeout,
		Transport: &http.Transport{TLSClientConfig: trust.Client(), ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a token service does not redirect: the secret is not sent on")
		},
	})
	token, err := config.Token(ctx)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_client" {
		return "", fmt.Errorf("%s refuses client %q (invalid_client): the secret or key is not its own or no longer good, or the client is disabled; "+
			"read the secret again or make one with authserver client secret", base, client)
	}
	if err != nil {
		return "", fmt.Errorf("get a token from %s: %w", base, err)
	}
	return token.AccessToken, nil
}

// prove adds what shows who we are: a secret, or an assertion by our key.
func (q tokenRequest) prove(config *clientcredentials.Config, issuer string) error {
	var err error
	if q.keyFile == "" {
		config.ClientSecret, err = q.secret()
		return err
	}
	key, err := token.ReadClientKey(q.keyFile)
	if err != nil {
		return fmt.Errorf("--client-key: %w", err)
	}
	assertion, err := key.Assertion(config.ClientID, issuer, time.Now())
	if err != nil {
		return err
	}
	config.AuthStyle = oauth2.AuthStyleInParams
	config.EndpointParams.Set("client_assertion_type", token.JWTBearer)
	config.EndpointParams.Set("client_assertion", assertion)
	return nil
}

func (q tokenRequest) base() (string, error) {
	raw := strings.TrimSuffix(fallback(q.url, "AUTHSERVER_URL"), "/")
	if raw == "" {
		return "", errors.New("the token service is not known: give --url or set AUTHSERVER_URL")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The value is not quoted: somebody may have put a secret in it.
		return "", errors.New("the URL of the token service (--url, AUTHSERVER_URL) is not of the form https://host:port")
	}
	return raw, nil
}

func (q tokenRequest) secret() (string, error) {
	if q.secretFile != "" {
		return token.ReadSecret(q.secretFile)
	}
	if secret := os.Getenv(q.secretEnv); secret != "" {
		return secret, nil
	}
	return "", fmt.Errorf("the client's secret is not known: set %s or give --client-secret-file", q.secretEnv)
}

// fallback is the flag's value, or the environment's where there is none.
func fallback(flag, variable string) string {
	if flag != "" {
		return flag
	}
	return os.Getenv(variable)
}
