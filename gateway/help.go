package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/trial"
	"portcullis/policies/policy"
)

// explanations explain every code that a command of this program can print.
func explanations() []policy.Explanation {
	return slices.Concat(policy.Explanations(), compile.Explanations(), trial.Explanations())
}

// helpCommand is cobra's help, which also explains the codes of mistakes.
func helpCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | CODE | codes]",
		Short: "Help about any command, and about the code of any mistake",
		Long: "Help tells about a command, as in: gateway help check\n\n" +
			"It also explains the codes of mistakes, as in: gateway help P005. gateway help codes lists them all.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "codes" {
				return listCodes(stdout)
			}
			if len(args) == 1 && isCode(args[0]) {
				return explainCode(stdout, strings.ToUpper(args[0]))
			}
			topic, _, err := cmd.Root().Find(args)
			if err != nil {
				return fmt.Errorf("there is no help about %q; gateway help lists the commands, gateway help codes the codes of mistakes", strings.Join(args, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// isCode reports whether a word looks like the code of a mistake: P005.
func isCode(word string) bool {
	return len(word) == 4 && strings.Trim(word[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && strings.Trim(word[1:], "0123456789") == ""
}

func listCodes(w io.Writer) error {
	for _, e := range explanations() {
		if _, err := fmt.Fprintf(w, "%s  %s\n", e.Code, e.Title); err != nil {
			return err
		}
	}
	return nil
}

func explainCode(w io.Writer, code string) error {
	all := explanations()
	i := slices.IndexFunc(all, func(e policy.Explanation) bool { return e.Code == code })
	if i < 0 {
		return fmt.Errorf("no mistake has the code %q; gateway help codes lists them", code)
	}
	e := all[i]
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n\n%s\n\n%s\n", e.Code, e.Title, wrap(e.Why), wrap(e.Mend))
	if e.Wrong != "" {
		fmt.Fprintf(&out, "\nWrong:\n\n%s\nRight:\n\n%s", indent(e.Wrong), indent(e.Right))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// lineWidth is how wide explanations are printed, in characters.
const lineWidth = 88

func wrap(text string) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > lineWidth:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}
