package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/trial"
	"portcullis/policies/policy"
)

// explaining is what the flags of explain say.
type explaining struct {
	policies, output       string
	headers, claim         []string
	claims, from, at, curl string
	data, control          string
}

func explainCommand(stdout, stderr io.Writer, stdin io.Reader) *cobra.Command {
	var e explaining
	cmd := &cobra.Command{
		Use:   "explain METHOD URL | ID",
		Short: "Tell what the policies would make of a request, or what a running gateway made of one, and why",
		Long: "Explain sends a described request through the whole gateway in this process, without a network, and tells what\n" +
			"would become of it: one line, then each stage, rule and condition with the values it saw, its place in the\n" +
			"policy files, and what would have let the request pass: ✓ what held, ✗ what did not, · what was not asked. It\n" +
			"exits 0 whatever was decided.\n\n" +
			"With the id of a request alone (X-Request-Id of its answer) it asks the running gateway, which remembers the\n" +
			"requests it decided last, what became of that one.",
		Example: "  gateway explain GET /v1/guests/g-7/reservations --claim sub=g-9 --claim scope=reservations:read\n" +
			"  gateway explain POST https://api.hotel.test/v1/notes -H 'Content-Type: application/json' --data '{\"text\": \"hello\"}'\n" +
			"  gateway explain 59a4646a12d0f45675bff3acaf33c917\n" +
			"  gateway explain --curl request.txt       # a pasted curl command; its token is read, and never printed",
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.output != "text" && e.output != "json" {
				return fmt.Errorf("--output %q is not text or json", e.output)
			}
			if len(args) == 1 && pipeline.IsID(args[0]) {
				return e.recent(cmd.Context(), stdout, args[0])
			}
			return e.do(cmd.Context(), stdout, stderr, stdin, args, cmd.Flags().Changed("data"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.policies, "policies", "policies", "folder of policy files")
	f.StringVarP(&e.output, "output", "o", "text", "text or json")
	f.StringArrayVarP(&e.headers, "header", "H", nil, "a header field, as 'Name: value'; may be given again")
	f.StringVar(&e.claims, "claims", "", `claims of the token, as JSON: '{"sub": "g-7", "scope": "search:read"}'`)
	f.StringArrayVar(&e.claim, "claim", nil, "one claim of the token, as sub=g-7; may be given again")
	f.StringVar(&e.from, "from", "", "address the request comes from (default 192.0.2.1)")
	f.StringVar(&e.at, "at", "", "when it is sent, as 2027-01-10T09:00:00Z (default now)")
	f.StringVar(&e.data, "data", "", "the body")
	f.StringVar(&e.curl, "curl", "", "file that holds a pasted curl command, - for the standard input")
	controlFlag(f, &e.control)
	return cmd
}

func (e explaining) do(ctx context.Context, stdout, stderr io.Writer, stdin io.Reader, args []string, body bool) error {
	described, err := e.described(stdin, args, body)
	if err != nil {
		return err
	}
	doc, err := loadPolicies("explain", e.policies)
	var gateway *trial.Trial
	if err == nil {
		gateway, err = trial.New(trial.Config{Document: doc})
	}
	if err != nil {
		return reported(stderr, err, e.policies)
	}
	outcome, err := gateway.Explain(ctx, described)
	if err != nil {
		return err
	}
	if e.output == "json" {
		return printJSON(stdout, struct {
			pipeline.Explained
			Summary string   `json:"summary"`
			Notes   []string `json:"notes,omitempty"`
		}{*outcome.Explained, trial.Headline(*outcome.Explained), described.Notes})
	}
	for _, note := range described.Notes {
		fmt.Fprintf(stderr, "note: %s\n", note)
	}
	return trial.Render(stdout, *outcome.Explained, terminal(stdout))
}

// described is the request that the arguments and flags tell of.
func (e explaining) described(stdin io.Reader, args []string, body bool) (*trial.Described, error) {
	d, err := e.base(stdin, args)
	if err != nil {
		return nil, err
	}
	for _, line := range e.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, errors.New("a --header is not 'Name: value'")
		}
		d.Add(name, value)
	}
	if e.claims != "" {
		if err := d.Claims(e.claims); err != nil {
			return nil, err
		}
	}
	for _, c := range e.claim {
		if err := d.Claim(c); err != nil {
			return nil, err
		}
	}
	if d.Token != nil && d.Test.As != nil {
		return nil, errors.New("the request has a bearer token of its own: leave out --claim and --claims")
	}
	if body {
		d.Test.Body = policy.Value[string]{V: e.data, Set: true}
	}
	if e.from != "" {
		d.Test.From = policy.Value[string]{V: e.from, Set: true}
	}
	at := time.Now()
	if e.at != "" {
		if at, err = time.Parse(time.RFC3339, e.at); err != nil {
			return nil, fmt.Errorf("--at %q is not a time, such as 2027-01-10T09:00:00Z", e.at)
		}
	}
	d.Test.At = policy.Value[time.Time]{V: at, Set: true}
	return d, nil
}

func (e explaining) base(stdin io.Reader, args []string) (*trial.Described, error) {
	switch {
	case e.curl != "" && len(args) > 0:
		return nil, errors.New("explain takes a method and a URL, or --curl, not both")
	case e.curl != "":
		text, err := readCommand(e.curl, stdin)
		if err != nil {
			return nil, err
		}
		return trial.Curl(text)
	case len(args) == 2:
		return trial.NewDescribed(args[0], args[1])
	default:
		return nil, errors.New("explain takes a method and a URL, as in: gateway explain GET /v1/hotels, or the id of a request, 32 hexadecimal digits")
	}
}

// commandMost is more than any pasted command has.
const commandMost = 1 << 20

func readCommand(name string, stdin io.Reader) (string, error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("--curl: %w", err)
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, commandMost))
	if err != nil {
		return "", fmt.Errorf("--curl: %w", err)
	}
	return string(text), nil
}

// printJSON writes a value for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
