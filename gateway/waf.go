package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/control"
	"portcullis/gateway/internal/hits"
)

func wafCommand(stdout, stderr io.Writer, stdin io.Reader) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "waf",
		Short: "Look at what the rules of the WAF find, and tune them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hitsCommand(stdout, stderr, stdin), tuneCommand(stdout, stderr, stdin))
	return cmd
}

const (
	// rowsRead is how many rows are counted of recorded events.
	rowsRead = 20_000
	// followEvery is how often a running gateway is asked again.
	followEvery = time.Second
)

// hitting is what the flags of waf hits say.
type hitting struct {
	control      string
	limit        int
	follow, json bool
}

func hitsCommand(stdout, stderr io.Writer, stdin io.Reader) *cobra.Command {
	var h hitting
	cmd := &cobra.Command{
		Use:   "hits [FILE...]",
		Short: "List what the rules of the WAF found most often, by rule, route and target",
		Long: "Hits asks a running gateway what the rules of the WAF have found since it started, or reads it from files of\n" +
			"recorded events (- for the standard input): in how many requests, how many of them were refused (or would have\n" +
			"been, in mode shadow), from how many clients, and when last. Values are told by their shape: a for a letter, 9 for\n" +
			"a digit. gateway waf tune proposes exclusions from the same events.",
		Example: "  gateway waf hits --follow\n  gateway waf hits --limit 100 events.log",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case h.limit < 1 || h.limit > 1000:
				return fmt.Errorf("--limit is %d: it is a number from 1 to 1000", h.limit)
			case len(args) > 0 && h.follow:
				return errors.New("--follow asks a running gateway; leave out the files")
			case len(args) > 0:
				return h.recorded(stdout, stderr, stdin, args)
			}
			return h.live(cmd.Context(), stdout)
		},
	}
	f := cmd.Flags()
	controlFlag(f, &h.control)
	f.IntVar(&h.limit, "limit", 20, "how many rows, at most 1000")
	f.BoolVar(&h.follow, "follow", false, "go on: each second, the rows that have changed (on a terminal, all of them)")
	f.BoolVar(&h.json, "json", false, "as JSON; with --follow one object a line")
	return cmd
}

// recorded counts what files hold.
func (h hitting) recorded(stdout, stderr io.Writer, stdin io.Reader, files []string) error {
	table, err := hits.New(hits.Config{Rows: rowsRead})
	if err != nil {
		return err
	}
	if err := readEvents(stderr, stdin, files, table.Add); err != nil {
		return err
	}
	rows, all := table.Top(h.limit)
	return h.print(stdout, rows, all)
}

// readEvents tells of each security event in files, and on stderr of what could
// not be read.
func readEvents(stderr io.Writer, stdin io.Reader, files []string, each func(hits.Finding)) error {
	alerts := 0
	for _, name := range files {
		lines, err := readFile(stdin, name, each)
		if err != nil {
			return err
		}
		alerts += lines.Alerts
		if lines.Bad > 0 {
			fmt.Fprintf(stderr, "note: %s: %d of %d lines are no event, the first is line %d\n", name, lines.Bad, lines.All, lines.FirstBad)
		}
	}
	if alerts == 0 {
		fmt.Fprintln(stderr, `note: there is no security event in these files; such a line has "event.kind":"alert"`)
	}
	return nil
}

func readFile(stdin io.Reader, name string, each func(hits.Finding)) (hits.Lines, error) {
	if name == "-" {
		return hits.Read(stdin, each)
	}
	file, err := os.Open(name)
	if err != nil {
		return hits.Lines{}, err
	}
	defer file.Close()
	lines, err := hits.Read(file, each)
	if err != nil {
		return lines, fmt.Errorf("reading %q: %w", name, err)
	}
	return lines, nil
}

// live asks a running gateway, once or until it or we end.
func (h hitting) live(ctx context.Context, stdout io.Writer) error {
	client := control.NewClient(h.control)
	top, err := client.Hits(ctx, h.limit)
	if err != nil {
		return err
	}
	if !h.follow {
		return h.print(stdout, top.Hits, top.All)
	}
	seen := map[string]int{}
	for {
		if err := h.changed(stdout, top, seen); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		if top, err = client.Hits(ctx, h.limit); err != nil {
			return err
		}
	}
}

// changed prints the rows that are not as they were seen, or on a terminal all
// of them in the place of the last.
func (h hitting) changed(stdout io.Writer, top control.Hits, seen map[string]int) error {
	if !h.json && terminal(stdout) {
		if _, err := io.WriteString(stdout, "\x1b[H\x1b[2J"); err != nil {
			return err
		}
		return h.print(stdout, top.Hits, top.All)
	}
	rows := top.Hits[:0:0]
	now := make(map[string]int, len(top.Hits))
	for _, r := range top.Hits {
		id := fmt.Sprint(r.Profile, "\x00", r.Mode, "\x00", r.Rule, "\x00", r.Route, "\x00", r.Target)
		if now[id] = r.Count; seen[id] != r.Count {
			rows = append(rows, r)
		}
	}
	clear(seen)
	for id, count := range now {
		seen[id] = count
	}
	if h.json {
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		for _, r := range rows {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		return nil
	}
	return printRows(stdout, rows)
}

func (h hitting) print(stdout io.Writer, rows []hits.Row, all int) error {
	if h.json {
		return printJSON(stdout, control.Hits{Hits: rows, All: all})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(stdout, "no rule of the WAF has matched yet")
		return err
	}
	if err := printRows(stdout, rows); err != nil {
		return err
	}
	if all > len(rows) {
		_, err := fmt.Fprintf(stdout, "%d of %d rows; --limit shows more\n", len(rows), all)
		return err
	}
	return nil
}

func printRows(stdout io.Writer, rows []hits.Row) error {
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "COUNT\tREFUSED\tCLIENTS\tLAST\tRULE\tROUTE\tTARGET\tPROFILE\tVERDICT\tVALUE")
	for _, r := range rows {
		profile := r.Profile
		if r.Mode == "shadow" {
			profile += " (shadow)"
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n",
			r.Count, r.Denied, r.Clients, r.Last.UTC().Format("01-02 15:04:05"), r.Rule, printable(r.Route), printable(r.Target), printable(profile), printable(r.Verdict), printable(r.Value))
	}
	return w.Flush()
}

// printable is a text as a terminal can be given it.
func printable(s string) string {
	if quoted := strconv.Quote(s); quoted[1:len(quoted)-1] != s {
		return quoted
	}
	return s
}
