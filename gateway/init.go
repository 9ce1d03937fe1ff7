package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"portcullis/policies/policy"
)

//go:embed starter
var starter embed.FS

// beginning is what the flags of init say, as the starter's templates name it.
type beginning struct{ Upstream, Issuer, Audience string }

func initCommand(stdout, stderr io.Writer) *cobra.Command {
	var b beginning
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a small, commented set of policy files for your own service",
		Long: "Init writes policy files with their tests into DIR, which must be empty or not exist yet: one route that lets\n" +
			"anybody read, or, with --issuer, routes that ask for a token. They are a beginning: edit them.",
		Example: "  gateway init mine --upstream http://127.0.0.1:8080\n" +
			"  gateway init mine --upstream https://notes.internal --issuer https://id.example.com --audience notes",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("init takes the folder to write, as in: gateway init mine --upstream http://127.0.0.1:8080")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("audience") && b.Issuer == "" {
				return errors.New("--audience says what the tokens of an issuer are for: name the issuer too, with --issuer URL")
			}
			return b.write(stdout, stderr, args[0])
		},
	}
	cmd.Flags().StringVar(&b.Upstream, "upstream", "http://127.0.0.1:8080", "your service: scheme, host and port")
	cmd.Flags().StringVar(&b.Issuer, "issuer", "", "URL of the issuer whose tokens your service takes")
	cmd.Flags().StringVar(&b.Audience, "audience", "gateway", "what a token's aud must contain; with --issuer")
	return cmd
}

// write makes all the files, or none when one is wrong.
func (b beginning) write(stdout, stderr io.Writer, dir string) error {
	for _, address := range []string{b.Upstream, b.Issuer} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || strings.ContainsAny(address, "\"\n\\")) {
			return fmt.Errorf("%q is not an address: write https://name:port", address)
		}
	}
	if u, err := url.Parse(b.Upstream); err == nil && (u.Path != "" || u.RawQuery != "") {
		return fmt.Errorf("--upstream %q: write scheme, host and port only, such as https://name:port: the request brings the path", b.Upstream)
	}
	if strings.ContainsAny(b.Audience, " \"{}[],:#\n\\") || b.Audience == "" {
		return fmt.Errorf("--audience %q: write one word, such as notes", b.Audience)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("the folder %q is not empty, and nothing in it is overwritten: name another", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder to write: %w", err)
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	if err := try(files); err != nil {
		return reported(stderr, err, dir) // a valid address that cannot be used here
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "wrote %s to %s; next:\n  gateway check %[2]s\n  gateway test --coverage %[2]s\n  gateway serve --policies %[2]s --cert YOUR.pem --key YOUR.key\n", count(len(files), "file"), dir)
	return err
}

// try checks the files in a folder of their own.
func try(files map[string][]byte) error {
	dir, err := os.MkdirTemp("", "portcullis-init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	_, err = policy.Check(os.DirFS(dir), os.LookupEnv)
	return err
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files are the starter's templates, filled in, by their names below the folder.
func (b beginning) files() (map[string][]byte, error) {
	files := map[string][]byte{"schema.json": policy.Schema()}
	err := fs.WalkDir(starter, "starter", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		t, err := template.ParseFS(starter, name)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, b); err != nil {
			return err
		}
		files[strings.TrimSuffix(strings.TrimPrefix(name, "starter/"), ".tmpl")] = text.Bytes()
		return nil
	})
	return files, err
}
