package store

// peopleSchema holds who signs in. Times are Unix milliseconds, as everywhere;
// what is kept of a session or of a link is its SHA-256, so that whoever reads
// a backup can use neither.
const peopleSchema = `
CREATE TABLE accounts (
	id               TEXT PRIMARY KEY,
	email            TEXT NOT NULL UNIQUE, -- normalised: two spellings of one address are one account
	password         TEXT NOT NULL,        -- argon2id, with its parameters
	created          INTEGER NOT NULL,
	verified         INTEGER,              -- null until the person has shown that the address is theirs
	password_changed INTEGER NOT NULL
) STRICT;
CREATE INDEX accounts_unverified ON accounts (created) WHERE verified IS NULL;
CREATE TABLE sessions (
	hash      BLOB PRIMARY KEY,
	account   TEXT NOT NULL,
	created   INTEGER NOT NULL,
	seen      INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	auth_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account, created);
CREATE INDEX sessions_by_expiry ON sessions (expires);
CREATE TABLE mail_tokens (
	hash    BLOB PRIMARY KEY,
	account TEXT NOT NULL,
	purpose TEXT NOT NULL CHECK (purpose IN ('verify', 'reset')),
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	used    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_tokens_by_account ON mail_tokens (account, purpose);
CREATE INDEX mail_tokens_by_expiry ON mail_tokens (expires);
CREATE TABLE mail_outbox ( -- holds no token: one is made when the mail is sent
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	address  TEXT NOT NULL,
	purpose  TEXT NOT NULL CHECK (purpose IN ('signup', 'verify', 'reset')),
	created  INTEGER NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0,
	next_try INTEGER,              -- null once it is sent, was for nobody, or was given up
	expires  INTEGER NOT NULL      -- when to give up, and to forget the row
) STRICT;
CREATE INDEX mail_outbox_due ON mail_outbox (next_try) WHERE next_try IS NOT NULL;
CREATE INDEX mail_outbox_by_address ON mail_outbox (address, created);
CREATE INDEX mail_outbox_by_expiry ON mail_outbox (expires);
`
