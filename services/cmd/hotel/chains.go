package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"portcullis/certs"
	"portcullis/services/internal/peer"
)

// chains is what the command line says about partner hotels.
type chains struct {
	partners []string // NAME=URL
	ca       string
}

func (c *chains) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&c.partners, "partner", nil, "a partner chain, as NAME=URL; may be repeated")
	f.StringVar(&c.ca, "partner-ca", "", "authorities that sign the partners; those of the system if empty")
}

// chain is a client of one partner.
type chain struct {
	name   string
	client *peer.Outside
}

// clients makes a client for each, whose calls may take timeout; 0 is the
// usual. They get no certificate of ours: partners are strangers.
func (c *chains) clients(timeout time.Duration, log *slog.Logger) ([]chain, error) {
	if len(c.partners) == 0 {
		return nil, nil
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: c.ca}, Log: log})
	if err != nil {
		return nil, fmt.Errorf("--partner-ca: %w", err)
	}
	var all []chain
	for _, given := range c.partners {
		name, address, ok := strings.Cut(given, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--partner: %q is not NAME=URL", given)
		}
		client, err := peer.NewOutside(peer.OutsideConfig{Name: name, URL: address, TLS: trust.Client(), Timeout: timeout, Log: log})
		if err != nil {
			return nil, fmt.Errorf("--partner: %w", err)
		}
		all = append(all, chain{name, client})
	}
	return all, nil
}
