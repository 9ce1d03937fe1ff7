package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/pflag"

	"portcullis/authserver/token"
	"portcullis/services/sandbox"
)

// bankStandIn is the bank of the sandbox, with a flag for its API key.
func bankStandIn(f *pflag.FlagSet) *standIn {
	file := f.String("bank-key", "", "file with the API key that the bank's clients must bring; none if empty")
	return &standIn{flag: "bank", says: "where to serve the bank, over HTTPS; none if empty", handler: func() (http.Handler, error) {
		c := sandbox.BankConfig{}
		if *file != "" {
			key, err := token.ReadSecret(*file)
			if err != nil {
				return nil, fmt.Errorf("--bank-key: %w", err)
			}
			c.Key = key
		}
		return sandbox.NewBank(c).Handler(), nil
	}}
}
