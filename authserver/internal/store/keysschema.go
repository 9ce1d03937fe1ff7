package store

// keysSchema gives signing keys the times of their life and a private half that
// is sealed. The private keys of before stay in the clear for a moment: the
// first key ring that opens them seals them. That a current key signed since it
// was made is true of all of them; a previous one may have signed until now.
const keysSchema = `
CREATE TABLE keys (
	id        TEXT PRIMARY KEY,
	algorithm TEXT NOT NULL,
	state     TEXT NOT NULL CHECK (state IN ('next', 'current', 'previous', 'gone')),
	public    BLOB NOT NULL, -- SubjectPublicKeyInfo; empty while there is a clear one
	sealed    BLOB NOT NULL, -- as the vault gave it; empty once destroyed
	clear     BLOB NOT NULL, -- PKCS #8 of an earlier version; empty once sealed
	created   INTEGER NOT NULL,
	published INTEGER NOT NULL, -- 0, here and below: not yet
	activated INTEGER NOT NULL,
	retired   INTEGER NOT NULL,
	removed   INTEGER NOT NULL,
	revoked   INTEGER NOT NULL,
	destroyed INTEGER NOT NULL
) STRICT;
INSERT INTO keys SELECT id, algorithm, state, x'', x'', private, created, created,
	CASE state WHEN 'next' THEN 0 ELSE created END,
	CASE state WHEN 'previous' THEN max(created, CAST(unixepoch('subsec') * 1000 AS INTEGER)) ELSE 0 END,
	0, 0, 0 FROM signing_keys;
DROP TABLE signing_keys;
ALTER TABLE keys RENAME TO signing_keys;
`
