package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"portcullis/policies/policy"
)

// loadPolicies loads and validates a folder for commands that look at it. What
// is wrong with the files is a policy.Mistakes.
func loadPolicies(command, dir string) (*policy.Document, error) {
	if err := isFolder(command, dir); err != nil {
		return nil, err
	}
	return policy.Check(os.DirFS(dir), os.LookupEnv)
}

// reported prints the mistakes in err, if it holds any, and returns errReported
// in its place; any other error comes back as it is.
func reported(w io.Writer, err error, dir string) error {
	if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
		show(w, mistakes, dir)
		return errReported
	}
	return err
}

func isFolder(command, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the policy folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is a file; %s takes the folder that holds the policy files", dir, command)
	}
	return nil
}

// seenFrom puts a folder before the names of files, so that a click or a copied
// path opens them.
func seenFrom(dir string) func(policy.Mistakes) policy.Mistakes {
	return func(mistakes policy.Mistakes) policy.Mistakes {
		shown := slices.Clone(mistakes)
		for i := range shown {
			if shown[i].Pos.File != "" {
				shown[i].Pos.File = filepath.Join(dir, shown[i].Pos.File)
			}
		}
		return shown
	}
}
