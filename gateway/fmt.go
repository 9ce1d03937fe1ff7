package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"portcullis/policies/policy"
)

func fmtCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [DIR | -]",
		Short: "Give policy files their usual form",
		Long: "Fmt indents the policy files in DIR alike and takes out white space that says nothing. Comments, quotes, line\n" +
			"breaks and the order of keys stay. It writes the files that change, each at once or not at all, and prints their\n" +
			"names. DIR is the folder of policy files; default policies. With - it formats what it reads on standard input.\n\n" +
			"It exits 1 when a file cannot be formatted, and with --check when one would change.",
		Example: "  gateway fmt policies\n" +
			"  gateway fmt --check policies       # in a review: print what would change, write nothing\n" +
			"  gateway fmt - < routes.yaml        # in an editor",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("fmt takes one folder of policy files, as in: gateway fmt policies")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "policies"
			if len(args) == 1 {
				dir = args[0]
			}
			if dir == "-" {
				return formatStream(stdin, stdout, stderr)
			}
			return formatFolder(stdout, stderr, dir, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "print the lines that would change, and write nothing")
	return cmd
}

// formatStream prints nothing when it cannot format: an editor that replaces
// its text with what is printed must not lose it.
func formatStream(stdin io.Reader, stdout, stderr io.Writer) error {
	data, err := io.ReadAll(io.LimitReader(stdin, policy.FileBytes+1))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	formatted, err := policy.Format("stdin", data)
	if err != nil {
		return reported(stderr, err, "")
	}
	_, err = stdout.Write(formatted)
	return err
}

// formatFolder formats every file it can, and reports those it cannot.
func formatFolder(stdout, stderr io.Writer, dir string, check bool) error {
	if err := isFolder("fmt", dir); err != nil {
		return err
	}
	names, err := policy.Files(os.DirFS(dir))
	found, ok := errors.AsType[policy.Mistakes](err)
	if err != nil && !ok {
		return err
	}
	changes := 0
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		was, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		is, err := policy.Format(name, was)
		if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
			found = append(found, mistakes...)
			continue
		}
		if err != nil {
			return err
		}
		if bytes.Equal(was, is) {
			continue
		}
		changes++
		if check {
			printChanges(stdout, path, policy.Changes(was, is))
			continue
		}
		if err := replace(path, is); err != nil {
			return err
		}
		fmt.Fprintln(stdout, path)
	}
	show(stderr, found, dir)
	if len(found) > 0 || check && changes > 0 {
		return errReported
	}
	return nil
}

func printChanges(w io.Writer, path string, changes []policy.Reformatted) {
	for _, c := range changes {
		fmt.Fprintf(w, "%s:%d:\n- %s\n", path, c.Line, c.Old)
		if !c.Removed {
			fmt.Fprintf(w, "+ %s\n", c.New)
		}
	}
}

// replace puts a file in the place of another, whole or not at all: a gateway
// may be watching the folder, and a full disk must not cost a policy.
func replace(path string, data []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%q is unchanged: %w", path, err)
	}
	return nil
}
