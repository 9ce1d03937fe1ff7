package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
)

// kept is where clients stand: in the policy files and in the database.
type kept struct{ data, policies string }

func (k *kept) flags(cmd *cobra.Command) {
	dataFlag(cmd.Flags(), &k.data)
	policiesFlag(cmd.Flags(), &k.policies)
}

func clientList() *cobra.Command {
	var k kept
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the clients of the policy files and how they stand",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			grants, err := clients.Load(os.DirFS(k.policies), os.LookupEnv)
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), k.data)
			if err != nil {
				return err
			}
			defer db.Close()
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "CLIENT\tPROVES ITSELF BY\tGRANTS\tAUDIENCES\tSTATE")
			for _, name := range grants.Names() {
				c, _ := grants.Client(name)
				state, err := db.ClientState(cmd.Context(), name)
				if err != nil {
					return err
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, proof(c, state), strings.Join(c.Grants, ","), strings.Join(audiences(c), ","), standing(c, state))
			}
			return table.Flush()
		},
	}
	k.flags(cmd)
	return cmd
}

func clientShow() *cobra.Command {
	var k kept
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a client may do and how it stands",
		Args:  oneClient,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := k.client(args[0])
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), k.data)
			if err != nil {
				return err
			}
			defer db.Close()
			state, err := db.ClientState(cmd.Context(), c.ID)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "client   %s\nstate    %s\nproof    %s\ngrants   %s\nserves   %s\n",
				c.ID, standing(c, state), proof(c, state), strings.Join(c.Grants, ", "), strings.Join(c.Serves, ", "))
			for _, a := range c.Audiences {
				fmt.Fprintf(out, "audience %s: %s\n", a.Name, strings.Join(a.Scopes, " "))
			}
			for _, uri := range c.Redirects {
				fmt.Fprintf(out, "redirect %s\n", uri)
			}
			for _, made := range state.Secrets {
				fmt.Fprintf(out, "secret   made %s\n", made.UTC().Format(time.RFC3339))
			}
			return nil
		},
	}
	k.flags(cmd)
	return cmd
}

// client finds one of the policy files' clients.
func (k kept) client(name string) (issue.Client, error) {
	grants, err := clients.Load(os.DirFS(k.policies), os.LookupEnv)
	if err != nil {
		return issue.Client{}, err
	}
	c, ok := grants.Client(name)
	if !ok {
		return c, fmt.Errorf("there is no client %q in %q, only: %s", name, k.policies, strings.Join(grants.Names(), ", "))
	}
	return c, nil
}

func proof(c issue.Client, state store.ClientState) string {
	switch {
	case c.Public:
		return "nothing (public)"
	case len(c.Keys) > 0:
		return count(len(c.Keys), "key")
	}
	return count(len(state.Secrets), "secret")
}

func standing(c issue.Client, state store.ClientState) string {
	switch {
	case !state.Disabled.IsZero():
		return "disabled since " + state.Disabled.UTC().Format(time.RFC3339)
	case !c.Public && len(c.Keys) == 0 && len(state.Secrets) == 0:
		return "has no secret yet: authserver client secret " + c.ID
	}
	return "active"
}

func audiences(c issue.Client) []string {
	names := make([]string, len(c.Audiences))
	for i, a := range c.Audiences {
		names[i] = a.Name
	}
	return names
}
