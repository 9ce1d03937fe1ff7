package main

import (
	"path/filepath"

	"github.com/spf13/pflag"
)

// dataFlag is the flag for the folder of the database and the audit log.
func dataFlag(f *pflag.FlagSet, data *string) {
	f.StringVar(data, "data", ".run/data/authserver", "the folder of the database and the audit log")
}

// auditDir is where the audit log of a data folder is.
func auditDir(data string) string { return filepath.Join(data, "audit") }

// policiesFlag is the flag for the folder of the policy files.
func policiesFlag(f *pflag.FlagSet, policies *string) {
	f.StringVar(policies, "policies", "policies", "the policy folder")
}
