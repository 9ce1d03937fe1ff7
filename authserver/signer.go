package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/keyring"
	"portcullis/services/chassis"
)

func signer() *cobra.Command {
	var socket, data, seal string
	var uids []int
	cmd := &cobra.Command{
		Use:   "signer",
		Short: "Hold the signing keys in a process of their own",
		Long: `Makes and holds the keys that sign tokens, and signs for authserver serve
--signer SOCKET until it is interrupted. It gives no key away: who takes over the
service can have tokens signed while they are there, but carries no key home.
Run it as another user for that, and allow the service's with --allow-uid; as the
same user it only keeps the keys out of the service's memory and database.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := chassis.Signals(cmd.Context())
			defer stop()
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)).With("service.name", "signer")
			if err := keyring.Undumpable(); err != nil {
				return fmt.Errorf("keep others from reading our memory: %w", err)
			}
			if seal == "" {
				seal = data + ".seal"
			}
			vault, err := keyring.NewSealed(seal)
			if err != nil {
				return err
			}
			return keyring.ServeSigner(ctx, keyring.SignerConfig{
				Socket: socket, Dir: data, Vault: vault, AllowUIDs: uids, Log: log,
				Ready: func() { log.Info("ready", "socket", socket) },
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&socket, "socket", ".run/signer/socket", "the unix socket to listen on; its folder must let nobody else in")
	f.StringVar(&data, "data", ".run/data/signer", "the folder of the keys")
	f.StringVar(&seal, "seal", "", "the file that the keys are sealed with; made with the first key (default: the data folder's name with .seal)")
	f.IntSliceVar(&uids, "allow-uid", nil, "users who may ask beside our own; anybody may knock then")
	return cmd
}
