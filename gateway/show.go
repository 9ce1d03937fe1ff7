package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"portcullis/policies/policy"
)

func showCommand(stdout, stderr io.Writer) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show ROUTE [DIR]",
		Short: "Show a route as it is in force, and the file each line came from",
		Long: "Show prints a route with all that it inherits and refers to: defaults, limits, WAF profiles, upstream. Each line\n" +
			"names the file and line it was written on, or \"default\". DIR is the folder of policy files; default policies.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("show takes the name of a route and the folder of policy files, as in: gateway show search-hotels policies")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %q is not text or json", output)
			}
			dir := "policies"
			if len(args) == 2 {
				dir = args[1]
			}
			doc, err := loadPolicies("show", dir)
			if err != nil {
				return reported(stderr, err, dir)
			}
			route, err := doc.RouteNamed(args[0])
			if err != nil {
				return err
			}
			return printRoute(stdout, doc.Show(route), dir, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// placeColumn is where places begin, unless a line is longer.
const placeColumn = 72

func printRoute(w io.Writer, lines []policy.Line, dir, output string) error {
	for i := range lines {
		if place := lines[i].Place; place != "" && place != "default" {
			lines[i].Place = filepath.Join(dir, place)
		}
	}
	if output == "json" {
		return printJSON(w, lines)
	}
	for _, l := range lines {
		text := strings.Repeat("  ", l.Depth) + l.Text
		if l.Place != "" {
			text += strings.Repeat(" ", max(1, placeColumn-utf8.RuneCountInString(text))) + "# " + l.Place
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}
