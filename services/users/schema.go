package users

import "portcullis/services/internal/outbox"

// migrations are the schema's versions in order. A released one never changes.
// Times are milliseconds of Unix time.
func migrations() []string {
	return []string{outbox.Schema, `
		CREATE TABLE profiles (
			guest   TEXT PRIMARY KEY,
			name    TEXT NOT NULL,
			email   TEXT NOT NULL,
			phone   TEXT NOT NULL,
			updated INTEGER NOT NULL
		) STRICT, WITHOUT ROWID;

		-- What happened. The row stays, so that an event that comes again is known;
		-- what it says goes once nothing of it is left to be mailed.
		CREATE TABLE events (
			id          TEXT PRIMARY KEY,
			kind        TEXT NOT NULL,
			guest       TEXT NOT NULL, -- empty once the guest is forgotten
			reservation TEXT NOT NULL,
			received    INTEGER NOT NULL,
			body        BLOB NOT NULL  -- the reservation; empty once it is not needed
		) STRICT, WITHOUT ROWID;
		CREATE INDEX events_of_guest ON events (guest, received);
		CREATE INDEX events_of_reservation ON events (reservation);

		-- One mail of an event to one of those who are told. parked: the guest has
		-- no address yet; waiting: it is in the outbox; all other states are final.
		CREATE TABLE letters (
			event     TEXT NOT NULL REFERENCES events (id),
			recipient TEXT NOT NULL CHECK (recipient IN ('guest', 'hotel')),
			state     TEXT NOT NULL CHECK (state IN ('parked', 'waiting', 'sent', 'refused', 'overtaken', 'late', 'forgotten')),
			changed   INTEGER NOT NULL,
			PRIMARY KEY (event, recipient)
		) STRICT, WITHOUT ROWID;

		CREATE INDEX letters_unsent ON letters (state) WHERE state <> 'sent';

		CREATE TABLE removals (
			guest     TEXT PRIMARY KEY,
			asked     INTEGER NOT NULL,
			completed INTEGER,
			blocked   TEXT NOT NULL DEFAULT '' -- why it cannot go on, for the guest
		) STRICT, WITHOUT ROWID;
		CREATE TABLE removal_steps (
			guest    TEXT NOT NULL REFERENCES removals (guest),
			service  TEXT NOT NULL,
			rank     INTEGER NOT NULL, -- begins when all of lower rank are done
			done     INTEGER,
			due      INTEGER NOT NULL,
			attempts INTEGER NOT NULL DEFAULT 0,
			PRIMARY KEY (guest, service)
		) STRICT, WITHOUT ROWID;
		CREATE INDEX removal_steps_due ON removal_steps (due) WHERE done IS NULL;`,
	}
}
