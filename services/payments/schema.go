package payments

import "portcullis/services/internal/outbox"

// migrations are the schema's versions in order. A released one never changes.
func migrations() []string {
	return []string{
		// A guest is named in one place alone: forgetting them empties one field,
		// and charges and postings keep the number of the account.
		`CREATE TABLE guests (
			account INTEGER PRIMARY KEY AUTOINCREMENT,
			guest   TEXT UNIQUE -- null: forgotten
		) STRICT;

		-- The key of a charge and the terms it was used with: the account, the
		-- amount and the card's last digits. A key that was voided before it was
		-- ever used has no account.
		CREATE TABLE charges (
			seq        INTEGER PRIMARY KEY AUTOINCREMENT,
			id         TEXT    NOT NULL UNIQUE,
			account    INTEGER REFERENCES guests (account),
			amount     INTEGER NOT NULL CHECK (amount >= 0), -- minor units
			currency   TEXT    NOT NULL,
			last4      TEXT    NOT NULL CHECK (length(last4) <= 4),
			status     TEXT    NOT NULL CHECK (status IN ('pending', 'approved', 'declined', 'voided', 'refunded')),
			declined   TEXT    NOT NULL DEFAULT '',
			receipt_to TEXT    NOT NULL DEFAULT '',
			created    INTEGER NOT NULL, -- milliseconds of Unix time
			returned   INTEGER CHECK ((returned IS NULL) = (status NOT IN ('voided', 'refunded'))),
			-- What the bank has still to be asked or told, by the worker.
			task       TEXT    NOT NULL CHECK (task IN ('', 'ask', 'void', 'refund')),
			due        INTEGER NOT NULL, -- milliseconds of Unix time
			attempts   INTEGER NOT NULL DEFAULT 0,
			CHECK ((status = 'pending') = (task = 'ask')),
			CHECK (task <> 'void' OR status = 'voided'),
			CHECK (task <> 'refund' OR status = 'refunded')
		) STRICT;
		CREATE INDEX charges_of_account ON charges (account, seq);
		CREATE INDEX charges_due ON charges (due) WHERE task <> '';

		-- Double entry: each posting moves an amount from one account to another,
		-- so that it cannot but sum to zero. Account 0 is the bank's, the others
		-- are guests'. A charge is posted once and given back once.
		CREATE TABLE postings (
			id           INTEGER PRIMARY KEY AUTOINCREMENT,
			charge       TEXT    NOT NULL REFERENCES charges (id),
			kind         TEXT    NOT NULL CHECK (kind IN ('charge', 'return')),
			from_account INTEGER NOT NULL,
			to_account   INTEGER NOT NULL,
			amount       INTEGER NOT NULL CHECK (amount > 0),
			currency     TEXT    NOT NULL,
			at           INTEGER NOT NULL, -- milliseconds of Unix time
			UNIQUE (charge, kind),
			CHECK (from_account <> to_account)
		) STRICT;
		CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'a posting never changes'); END;
		CREATE TRIGGER postings_remain BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'a posting is never removed'); END;
		CREATE VIEW ledger AS
			SELECT id AS posting, charge, to_account AS account, amount, currency FROM postings
			UNION ALL SELECT id, charge, from_account, -amount, currency FROM postings;` + outbox.Schema,
	}
}
