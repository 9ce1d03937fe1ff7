package main

import (
	"io"

	"github.com/spf13/cobra"

	"portcullis/policies/policy"
)

func schemaCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policy files, for editors",
		Long: "Schema prints the JSON Schema of policy files. An editor that speaks YAML completes keys, underlines what\n" +
			"cannot stand and explains what is pointed at, if the first line of a file names it:\n\n" +
			"  # yaml-language-server: $schema=./schema.json\n\n" +
			"The folder policies has it as schema.json.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Write(policy.Schema())
			return err
		},
	}
}
