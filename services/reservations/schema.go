package reservations

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
	}
}
