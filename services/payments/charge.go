package payments

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"portcullis/services/hotel"
)

// What the bank has still to be asked or told about a charge.
const (
	taskNone   = ""
	taskAsk    = "ask"
	taskVoid   = "void"
	taskRefund = "refund"
)

// noCurrency is ISO 4217's code where there is none: a key that was voided
// before it was used has no amount.
const noCurrency = "XXX"

var (
	// errNone says that there is no such charge.
	errNone = errors.New("there is no such charge")
	// errTerms says that the key was used before, for something else.
	errTerms = errors.New("the key was used with other terms")
)

// charge is a charge as it is stored.
type charge struct {
	hotel.Charge
	account   sql.NullInt64
	receiptTo string
	task      string
	attempts  int
}

const selectCharge = `SELECT c.id, coalesce(g.guest, ''), c.account, c.amount, c.currency, c.last4, c.status, c.declined,
	c.receipt_to, c.created, c.returned, c.task, c.attempts FROM charges c LEFT JOIN guests g USING (account) `

// querier is what reads run on: the pool, or a transaction that will write.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query reads charges by the rest of a statement.
func query(ctx context.Context, q querier, rest string, args ...any) ([]charge, error) {
	rows, err := q.QueryContext(ctx, selectCharge+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read charges: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []charge
	for rows.Next() {
		var c charge
		var created int64
		var returned sql.NullInt64
		if err := rows.Scan(&c.ID, &c.Guest, &c.account, &c.Amount.Amount, &c.Amount.Currency, &c.Last4, &c.Status, &c.Declined,
			&c.receiptTo, &created, &returned, &c.task, &c.attempts); err != nil {
			return nil, fmt.Errorf("read charges: %w", err)
		}
		c.Created = time.UnixMilli(created).UTC()
		if returned.Valid {
			at := time.UnixMilli(returned.Int64).UTC()
			c.Returned = &at
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read charges: %w", err)
	}
	return all, nil
}

// find returns a charge, or errNone.
func find(ctx context.Context, q querier, id string) (*charge, error) {
	found, err := query(ctx, q, "WHERE c.id = ?", id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNone
	}
	return &found[0], nil
}

// begin stores a charge as pending before the bank hears of it, or finds the
// one that has its key. It returns errTerms when that one is another.
func (s *Service) begin(ctx context.Context, want *hotel.Charge, receiptTo string) (c *charge, fresh bool, err error) {
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		c, err = find(ctx, tx, want.ID)
		if err == nil {
			return sameTerms(c, want)
		}
		if !errors.Is(err, errNone) {
			return err
		}
		fresh = true
		number, err := account(ctx, tx, want.Guest)
		if err != nil {
			return err
		}
		now := s.config.Now()
		// The worker leaves it alone for as long as whoever began it may take.
		due := now.Add(s.bank.config.Timeout + time.Second)
		if _, err := tx.ExecContext(ctx, `INSERT INTO charges (id, account, amount, currency, last4, status, receipt_to, created, task, due)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, want.ID, number, want.Amount.Amount, want.Amount.Currency, want.Last4,
			string(hotel.ChargePending), receiptTo, now.UnixMilli(), taskAsk, due.UnixMilli()); err != nil {
			return fmt.Errorf("store a charge: %w", err)
		}
		c, err = find(ctx, tx, want.ID)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return c, fresh, nil
}

// sameTerms compares what a key was used with. A voided key is not compared: it
// is refused with any terms.
func sameTerms(c *charge, want *hotel.Charge) error {
	if c.Status != hotel.ChargeVoided && (c.Guest != want.Guest || c.Amount != want.Amount || c.Last4 != want.Last4) {
		return errTerms
	}
	return nil
}

// account is the number of a guest's account, which is opened if need be.
func account(ctx context.Context, tx *sql.Tx, guest string) (number int64, err error) {
	if _, err := tx.ExecContext(ctx, "INSERT INTO guests (guest) VALUES (?) ON CONFLICT (guest) DO NOTHING", guest); err != nil {
		return 0, fmt.Errorf("open an account: %w", err)
	}
	if err := tx.QueryRowContext(ctx, "SELECT account FROM guests WHERE guest = ?", guest).Scan(&number); err != nil {
		return 0, fmt.Errorf("find an account: %w", err)
	}
	return number, nil
}

// settle stores what the bank said of a pending charge; one that is not pending
// any more stays as it is. It returns how the charge stands then.
func (s *Service) settle(ctx context.Context, id string, said answer) (c *charge, err error) {
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		if c, err = find(ctx, tx, id); err != nil || c.Status != hotel.ChargePending {
			return err
		}
		switch said.Status {
		case bankApproved:
			if err := s.post(ctx, tx, c, postCharge); err != nil {
				return err
			}
			if err := s.tellGuest(ctx, tx, kindReceived, c); err != nil {
				return err
			}
			err = s.set(ctx, tx, c, hotel.ChargeApproved, taskNone)
		case bankDeclined:
			c.Declined = words(said.Reason)
			err = s.set(ctx, tx, c, hotel.ChargeDeclined, taskNone)
		case bankVoided, bankRefunded:
			err = s.set(ctx, tx, c, hotel.ChargeVoided, taskNone)
		case bankNever:
			// It may be on its way yet: the key is closed here before the bank is
			// told to close it.
			err = s.set(ctx, tx, c, hotel.ChargeVoided, taskVoid)
		default:
			err = fmt.Errorf("the bank cannot have said %s", said.Status)
		}
		if err != nil {
			return err
		}
		c, err = find(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.outbox.Wake()
	if c.task != taskNone {
		s.Wake()
	}
	return c, nil
}

// set gives a charge another status, and the worker what is to be done for it
// now. What ended without a mail to come forgets the guest's address.
func (s *Service) set(ctx context.Context, tx *sql.Tx, c *charge, status hotel.ChargeStatus, task string) error {
	now := s.config.Now().UnixMilli()
	var returned any
	if status == hotel.ChargeVoided || status == hotel.ChargeRefunded {
		returned = now
	}
	receiptTo := c.receiptTo
	if status == hotel.ChargeDeclined || (status == hotel.ChargeVoided && task == taskNone) {
		receiptTo = ""
	}
	if _, err := tx.ExecContext(ctx, `UPDATE charges SET status = ?, declined = ?, receipt_to = ?, returned = ?, task = ?, due = ?, attempts = 0
		WHERE id = ?`, string(status), c.Declined, receiptTo, returned, task, now, c.ID); err != nil {
		return fmt.Errorf("store a charge: %w", err)
	}
	return nil
}

// void gives a charge up for good, known or not: from its commit on nothing can
// be charged under its key. The bank is told afterwards, until it has heard.
func (s *Service) void(ctx context.Context, id string) (c *charge, err error) {
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		c, err = find(ctx, tx, id)
		switch {
		case errors.Is(err, errNone):
			// The bank never heard of it either: it is stored here before.
			now := s.config.Now().UnixMilli()
			_, err = tx.ExecContext(ctx, `INSERT INTO charges (id, amount, currency, last4, status, created, returned, task, due)
				VALUES (?, 0, ?, '', ?, ?, ?, ?, ?)`, id, noCurrency, string(hotel.ChargeVoided), now, now, taskNone, now)
		case err != nil:
		case c.Status == hotel.ChargePending, c.Status == hotel.ChargeApproved:
			err = s.set(ctx, tx, c, hotel.ChargeVoided, taskVoid)
		default:
			return nil // nothing is held, or will be
		}
		if err != nil {
			return err
		}
		c, err = find(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return c, nil
}

// refund gives an approved charge back. It returns the charge as it stands then,
// unchanged when it was not approved.
func (s *Service) refund(ctx context.Context, id string) (c *charge, err error) {
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		if c, err = find(ctx, tx, id); err != nil || c.Status != hotel.ChargeApproved {
			return err
		}
		if err := s.set(ctx, tx, c, hotel.ChargeRefunded, taskRefund); err != nil {
			return err
		}
		c, err = find(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return c, nil
}

// words says in a guest's words why the bank said no.
func words(reason string) string {
	switch reason {
	case "insufficient_funds":
		return "The card has not enough money left for this payment."
	case "expired_card":
		return "The card has expired."
	case "stolen_card", "do_not_honour":
		// Whoever holds a stolen card is not told that it is known to be.
		return "The bank does not allow this payment. Please ask your bank, or use another card."
	}
	return "The bank does not accept this card. Please check its details, or use another card."
}
