package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"portcullis/authserver/internal/audit"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/internal/store"
)

// headBytes bounds a file with a signed head or with keys.
const headBytes = 64 << 10

func auditVerify() *cobra.Command {
	var data, head, keys string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record was altered, removed or added",
		Long: `Follows the chain of the audit log and names the first line that is not as it was
written. What nobody can see from the log alone is that its end was cut off; a
signed head shows it, which anybody can keep beforehand:

  curl https://localhost:8444/audit/head > head.jws
  authserver audit verify --head head.jws

The head's signature is checked with the keys in the database, or, if whoever may
have altered the log could have altered that too, with a key set kept elsewhere:
--keys FILE, as /jwks showed it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var want *audit.Head
			if head != "" {
				set, err := publicKeys(cmd, data, keys)
				if err != nil {
					return err
				}
				if want, err = readHead(head, set); err != nil {
					return err
				}
			}
			r, err := audit.Verify(auditDir(data), want)
			if err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), r, want)
		},
	}
	f := cmd.Flags()
	dataFlag(f, &data)
	f.StringVar(&head, "head", "", "a file with a signed head that was kept")
	f.StringVar(&keys, "keys", "", "a file with the key set to check the head with, instead of the database")
	return cmd
}

func report(w io.Writer, r audit.Report, head *audit.Head) error {
	if r.First == 0 {
		_, err := fmt.Fprintln(w, "ok: the log is empty")
		return err
	}
	fmt.Fprintf(w, "ok: records %d to %d in %s, since %s\nhead: %s\n", r.First, r.Head.Seq, count(r.Segments, "segment"), r.Since.UTC().Format(time.RFC3339), r.Head.Hash)
	if r.First > 1 {
		fmt.Fprintf(w, "note: it begins with %s; the %d records before it are not here\n", r.FirstSegment, r.First-1)
	}
	if r.Unterminated > 0 {
		fmt.Fprintf(w, "note: %d bytes follow the last record: one is being written, or a crash broke it off before anybody was answered\n", r.Unterminated)
	}
	if head != nil {
		fmt.Fprintf(w, "the head of %s (record %d) is in it\n", head.Time.UTC().Format(time.RFC3339), head.Seq)
	}
	return nil
}

// publicKeys finds what verifies a signed head: the keys that ever signed.
func publicKeys(cmd *cobra.Command, data, file string) (func(kid string) (jose.JSONWebKey, error), error) {
	if file != "" {
		text, err := readBounded(file)
		if err != nil {
			return nil, err
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(text, &set); err != nil {
			return nil, fmt.Errorf("%q is no key set as /jwks shows it", file)
		}
		return func(kid string) (jose.JSONWebKey, error) {
			if found := set.Key(kid); len(found) == 1 {
				return found[0], nil
			}
			return jose.JSONWebKey{}, fmt.Errorf("which is not in %q", file)
		}, nil
	}
	db, err := store.Open(cmd.Context(), data)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	stored, err := db.Keys(cmd.Context())
	if err != nil {
		return nil, err
	}
	return func(kid string) (jose.JSONWebKey, error) {
		i := slices.IndexFunc(stored, func(k keyring.StoredKey) bool { return k.ID == kid })
		switch {
		case i < 0:
			return jose.JSONWebKey{}, errors.New("which is not one of ours")
		case !stored[i].Revoked.IsZero():
			return jose.JSONWebKey{}, fmt.Errorf("which was revoked at %s: whoever stole it may have made this head; take one that another key signed", inShort(stored[i].Revoked))
		}
		return keyring.PublicOf(stored[i])
	}, nil
}

// readHead checks a signed head.
func readHead(file string, key func(string) (jose.JSONWebKey, error)) (*audit.Head, error) {
	text, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(strings.TrimSpace(string(text)), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("%q holds no signed head as /audit/head gives it", file)
	}
	header := jws.Signatures[0].Header
	public, err := key(header.KeyID)
	if err != nil {
		return nil, fmt.Errorf("the head in %q was signed with key %q, %w", file, header.KeyID, err)
	}
	if header.ExtraHeaders["typ"] != oauth.AuditHeadType {
		return nil, fmt.Errorf("%q holds something signed that is no head of the audit log", file)
	}
	payload, err := jws.Verify(public)
	if err != nil {
		return nil, fmt.Errorf("the head in %q was altered: its signature does not hold", file)
	}
	var head audit.Head
	if err := json.Unmarshal(payload, &head); err != nil {
		return nil, fmt.Errorf("the head in %q cannot be read: %w", file, err)
	}
	return &head, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, headBytes+1))
	if err == nil && len(text) > headBytes {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", file, err)
	}
	return text, nil
}
