package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/trial"
)

// recent tells why the running gateway decided a request as it did; id is the
// request id of its answer.
func (e explaining) recent(ctx context.Context, stdout io.Writer, id string) error {
	found, err := control.NewClient(e.control).Explain(ctx, id)
	if err != nil {
		return err
	}
	if e.output == "json" {
		return printJSON(stdout, struct {
			pipeline.Explained
			Summary string `json:"summary"`
		}{found, trial.Headline(found)})
	}
	if err := trial.Render(stdout, found, terminal(stdout)); err != nil {
		return err
	}
	if found.Note != "" {
		fmt.Fprintf(stdout, "  · %s\n", found.Note)
	}
	_, err = fmt.Fprintf(stdout, "  %s\n", request(found))
	return err
}

// request says in one line who asked for what, and when.
func request(e pipeline.Explained) string {
	text := fmt.Sprintf("%q to %q", e.Method+" "+e.Path, e.Host)
	if e.Subject != "" {
		text += fmt.Sprintf(" by %q of client %q", e.Subject, e.Client)
	}
	if e.Source.IsValid() {
		text += " from " + e.Source.String()
	}
	return text + fmt.Sprintf(" at %s, policy %.12s", e.Time.UTC().Format(time.RFC3339), e.Policy)
}
