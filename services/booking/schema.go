package booking

// migrations are the schema's versions in order. A released one never changes.
func migrations() []string {
	return []string{
		// A session is found by the digest of what its cookie holds, and its tokens
		// are sealed with a key that only the cookie gives: the file alone lets
		// nobody in. guest is there so that a guest's sessions can be ended.
		`CREATE TABLE sessions (
			lookup  BLOB    PRIMARY KEY CHECK (length(lookup) = 32),
			guest   TEXT    NOT NULL,
			sealed  BLOB    NOT NULL,
			created INTEGER NOT NULL, -- Unix seconds, as all times here
			seen    INTEGER NOT NULL,
			expires INTEGER NOT NULL
		) STRICT, WITHOUT ROWID;
		CREATE INDEX sessions_by_guest ON sessions (guest);
		CREATE INDEX sessions_by_end ON sessions (expires);`,
	}
}
