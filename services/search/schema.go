package search

import _ "embed"

// seed holds the hotels we began with, texts what later became of them.
var (
	//go:embed seed.sql
	seed string
	//go:embed texts.sql
	texts string
)

// migrations are the schema's versions in order. A released one never changes.
func migrations() []string {
	return []string{
		`CREATE TABLE hotels (
			id       TEXT    PRIMARY KEY,
			name     TEXT    NOT NULL,
			city     TEXT    NOT NULL COLLATE NOCASE,
			country  TEXT    NOT NULL CHECK (length(country) = 2),
			about    TEXT    NOT NULL,
			rooms    INTEGER NOT NULL CHECK (rooms > 0),
			sleeps   INTEGER NOT NULL CHECK (sleeps BETWEEN 1 AND 8),
			amount   INTEGER NOT NULL CHECK (amount > 0), -- minor units, a room and night
			currency TEXT    NOT NULL CHECK (length(currency) = 3)
		) STRICT, WITHOUT ROWID;
		CREATE INDEX hotels_by_city ON hotels (city, amount);`,
		seed,
		texts,
	}
}
