package payments

import (
	"context"
	"database/sql"
	"fmt"
)

// bankAccount is the account that tells what the bank holds for the hotel; a
// guest's tells, below zero, what the hotel has of the guest's.
const bankAccount = 0

// What is posted.
const (
	postCharge = "charge"
	postReturn = "return"
)

// post moves a charge's amount from the guest's account to the bank's, or back.
// A second posting of the kind is refused by the table.
func (s *Service) post(ctx context.Context, tx *sql.Tx, c *charge, kind string) error {
	from, to := c.account.Int64, int64(bankAccount)
	if kind == postReturn {
		from, to = to, from
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO postings (charge, kind, from_account, to_account, amount, currency, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		c.ID, kind, from, to, c.Amount.Amount, c.Amount.Currency, s.config.Now().UnixMilli()); err != nil {
		return fmt.Errorf("post to the ledger: %w", err)
	}
	return nil
}

// posted reports whether a posting of the kind was made for a charge.
func posted(ctx context.Context, tx *sql.Tx, id, kind string) (yes bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM postings WHERE charge = ? AND kind = ?)", id, kind).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	return yes, nil
}
