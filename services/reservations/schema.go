package reservations

import "portcullis/services/internal/outbox"

// migrations are the schema's versions in order. A released one never changes.
func migrations() []string {
	return []string{
		// A reservation in state held, not used yet, will occupy its nights as a
		// confirmed one does. Nights are rows of their own, so that what is taken
		// is one count, and a state that frees the room deletes them.
		`CREATE TABLE reservations (
			seq       INTEGER PRIMARY KEY AUTOINCREMENT,
			id        TEXT    NOT NULL UNIQUE,
			guest     TEXT    NOT NULL,
			hotel     TEXT    NOT NULL,
			arrival   TEXT    NOT NULL, -- ISO date
			departure TEXT    NOT NULL CHECK (departure > arrival),
			guests    INTEGER NOT NULL,
			note      TEXT    NOT NULL,
			state     TEXT    NOT NULL CHECK (state IN ('held', 'confirmed', 'cancelled')),
			amount    INTEGER NOT NULL, -- minor units
			currency  TEXT    NOT NULL,
			created   INTEGER NOT NULL, -- milliseconds of Unix time
			cancelled INTEGER CHECK ((cancelled IS NULL) = (state <> 'cancelled'))
		) STRICT;
		CREATE INDEX reservations_of_guest ON reservations (guest, seq);
		CREATE TABLE nights (
			hotel       TEXT    NOT NULL,
			night       TEXT    NOT NULL, -- ISO date of the evening
			reservation INTEGER NOT NULL REFERENCES reservations (seq),
			PRIMARY KEY (hotel, night, reservation)
		) STRICT, WITHOUT ROWID;
		CREATE INDEX nights_of_reservation ON nights (reservation);`,

		// Paying by card: a reservation is held until it is decided. SQLite changes
		// no CHECK, so both tables are made anew; the new nights come first, since
		// what refers to a table keeps it from being dropped. That a charge and a
		// confirmation belong together is said here too: no program, however
		// mistaken, can store one without the other.
		`CREATE TABLE reservations_2 (
			seq         INTEGER PRIMARY KEY AUTOINCREMENT,
			id          TEXT    NOT NULL UNIQUE,
			guest       TEXT    NOT NULL, -- empty once the guest was forgotten
			hotel       TEXT    NOT NULL,
			arrival     TEXT    NOT NULL, -- ISO date
			departure   TEXT    NOT NULL CHECK (departure > arrival),
			guests      INTEGER NOT NULL,
			note        TEXT    NOT NULL,
			state       TEXT    NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'cancelled')),
			amount      INTEGER NOT NULL, -- minor units
			currency    TEXT    NOT NULL,
			created     INTEGER NOT NULL, -- milliseconds of Unix time
			cancelled   INTEGER CHECK ((cancelled IS NULL) = (state <> 'cancelled')),
			expires     INTEGER CHECK ((expires IS NULL) = (state <> 'held')),
			hotel_name  TEXT    NOT NULL DEFAULT '',
			city        TEXT    NOT NULL DEFAULT '',
			partner     TEXT    NOT NULL DEFAULT '',
			name        TEXT    NOT NULL DEFAULT '',
			method      TEXT    NOT NULL DEFAULT 'at_hotel' CHECK (method IN ('card', 'at_hotel')),
			charge      TEXT    NOT NULL DEFAULT '', -- its status, as far as it is known here
			last4       TEXT    NOT NULL DEFAULT '' CHECK (length(last4) <= 4),
			declined    TEXT    NOT NULL DEFAULT '',
			reason      TEXT    NOT NULL DEFAULT '' CHECK ((reason <> '') = (state = 'released')),
			receipt     TEXT    NOT NULL DEFAULT '',
			key         TEXT, -- the caller's Idempotency-Key
			fingerprint BLOB CHECK ((fingerprint IS NULL) = (key IS NULL)),
			CHECK (state <> 'confirmed' OR method = 'at_hotel' OR charge = 'approved'),
			CHECK (state <> 'released' OR charge <> 'approved'),
			UNIQUE (guest, key)
		) STRICT;
		INSERT INTO reservations_2 (seq, id, guest, hotel, arrival, departure, guests, note, state, amount, currency, created, cancelled, expires)
			SELECT seq, id, guest, hotel, arrival, departure, guests, note, state, amount, currency, created, cancelled,
				CASE state WHEN 'held' THEN created END FROM reservations;
		CREATE TABLE nights_2 (
			hotel       TEXT    NOT NULL,
			night       TEXT    NOT NULL, -- ISO date of the evening
			reservation INTEGER NOT NULL REFERENCES reservations_2 (seq),
			PRIMARY KEY (hotel, night, reservation)
		) STRICT, WITHOUT ROWID;
		INSERT INTO nights_2 SELECT hotel, night, reservation FROM nights;
		DROP TABLE nights;
		DROP TABLE reservations;
		ALTER TABLE reservations_2 RENAME TO reservations;
		ALTER TABLE nights_2 RENAME TO nights;
		CREATE INDEX reservations_of_guest ON reservations (guest, seq);
		CREATE INDEX reservations_held ON reservations (seq) WHERE state = 'held';
		CREATE INDEX nights_of_reservation ON nights (reservation);` + outbox.Schema,

		// Of guests who were forgotten there is a digest, which names nobody: whose
		// token is still good must not bring them back.
		`CREATE TABLE erased (
			guest BLOB PRIMARY KEY CHECK (length(guest) = 32)
		) STRICT, WITHOUT ROWID;`,
	}
}
