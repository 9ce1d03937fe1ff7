package reporting

// migrations are the schema's versions in order. A released one never changes.
func migrations() []string {
	return []string{
		// A document without a guest was erased: what it says is gone, and what
		// proves a copy that somebody still holds stays.
		`CREATE TABLE secret (
			id  INTEGER PRIMARY KEY CHECK (id = 1),
			key BLOB    NOT NULL CHECK (length(key) = 32)
		) STRICT;
		CREATE TABLE documents (
			seq       INTEGER PRIMARY KEY AUTOINCREMENT,
			id        TEXT    NOT NULL UNIQUE,
			kind      TEXT    NOT NULL,
			date      TEXT    NOT NULL, -- ISO date
			hotel     TEXT,             -- its name
			arrival   TEXT,             -- ISO date
			departure TEXT,
			amount    INTEGER,          -- minor units
			currency  TEXT,
			sha256    TEXT    NOT NULL, -- of the PDF, in hex
			created   INTEGER NOT NULL, -- milliseconds of Unix time
			guest     TEXT,
			content   BLOB,             -- the request, as JSON
			pdf       BLOB,
			CHECK ((guest IS NULL) = (content IS NULL) AND (guest IS NULL) = (pdf IS NULL))
		) STRICT;
		CREATE INDEX documents_of_guest ON documents (guest, seq);
		-- Of guests who were erased there is a mark, and nobody can tell from it
		-- who they were: a request that was on its way must not bring them back.
		CREATE TABLE erased (
			mark BLOB PRIMARY KEY
		) STRICT, WITHOUT ROWID;`,
	}
}
