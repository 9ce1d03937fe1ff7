package store

// oauthSchema is what the grants of OAuth leave behind. Times are Unix
// milliseconds but for those of revocations, which leave as they are.
const oauthSchema = `
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Names this database: sequence numbers of another one mean something else.
INSERT INTO meta (name, value) VALUES ('epoch', lower(hex(randomblob(16))));
CREATE TABLE grants (
	id        TEXT PRIMARY KEY,
	client    TEXT NOT NULL,
	subject   TEXT NOT NULL,
	audience  TEXT NOT NULL,
	scopes    TEXT NOT NULL, -- separated by spaces
	nonce     TEXT NOT NULL,
	auth_time INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	ended     INTEGER -- NULL while it is good
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_subject ON grants (subject, client);
CREATE INDEX grants_by_expiry ON grants (expires);
CREATE TABLE codes (
	hash      BLOB PRIMARY KEY, -- SHA-256, as all hashes here
	grant_id  TEXT NOT NULL,
	redirect  TEXT NOT NULL,
	challenge TEXT NOT NULL,
	expires   INTEGER NOT NULL,
	used      INTEGER -- NULL until it is
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_expiry ON codes (expires);
CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE TABLE refresh_tokens (
	hash     BLOB PRIMARY KEY,
	grant_id TEXT NOT NULL,
	expires  INTEGER NOT NULL,
	used     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires);
CREATE TABLE assertions (
	hash    BLOB PRIMARY KEY,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX assertions_by_expiry ON assertions (expires);
CREATE TABLE revocations (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, purged or not
	kind          TEXT NOT NULL CHECK (kind IN ('token', 'client', 'key', 'subject', 'all')),
	value         TEXT NOT NULL,
	issued_before INTEGER NOT NULL, -- Unix seconds
	keep_until    INTEGER NOT NULL  -- Unix seconds
) STRICT;
CREATE INDEX revocations_by_value ON revocations (kind, value, issued_before);
CREATE INDEX revocations_by_expiry ON revocations (keep_until);
`
