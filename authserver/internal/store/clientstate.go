package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ClientState is what operators are told of a client.
type ClientState struct {
	// Secrets is when each of its live secrets was made, newest first.
	Secrets []time.Time
	// Disabled is when it was shut out; zero when it was not.
	Disabled time.Time
}

// ClientState tells how a client stands; one that is not known has no secrets.
func (s *Store) ClientState(ctx context.Context, client string) (ClientState, error) {
	var state ClientState
	rows, err := s.read.QueryContext(ctx, "SELECT created FROM client_secrets WHERE client = ? ORDER BY id DESC LIMIT ?", client, LiveSecrets)
	if err != nil {
		return state, fmt.Errorf("read the secrets of client %q: %w", client, err)
	}
	defer rows.Close()
	for rows.Next() {
		var created int64
		if err := rows.Scan(&created); err != nil {
			return state, fmt.Errorf("read a secret of client %q: %w", client, err)
		}
		state.Secrets = append(state.Secrets, time.UnixMilli(created))
	}
	if err := rows.Err(); err != nil {
		return state, fmt.Errorf("read the secrets of client %q: %w", client, err)
	}
	var disabled int64
	err = s.read.QueryRowContext(ctx, "SELECT disabled FROM disabled_clients WHERE client = ?", client).Scan(&disabled)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return state, fmt.Errorf("ask whether client %q is disabled: %w", client, err)
	default:
		state.Disabled = time.UnixMilli(disabled)
	}
	return state, nil
}
