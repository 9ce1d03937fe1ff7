// Package outbox keeps what a service has to tell others beside its own data,
// so that both are committed or neither is, and delivers it later: at least
// once, however often the process ends in between. Receivers tell a message
// that comes again by its key.
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"portcullis/services/internal/store"
)

// Schema makes the table; it is one of the migrations of the service.
const Schema = `CREATE TABLE outbox (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	kind     TEXT    NOT NULL,
	key      TEXT    NOT NULL,
	body     BLOB    NOT NULL,
	due      INTEGER NOT NULL, -- milliseconds of Unix time
	attempts INTEGER NOT NULL DEFAULT 0,
	failure  TEXT    NOT NULL DEFAULT '',
	dead     INTEGER NOT NULL DEFAULT 0, -- 1: will not be tried again
	UNIQUE (kind, key)
) STRICT;
CREATE INDEX outbox_due ON outbox (dead, due);`

const (
	// firstRetry and lastRetry bound the pause after a failed delivery, which
	// doubles in between: a neighbour that restarts is found soon, one that is
	// away for a night is not called all night.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
	// attemptTime bounds one delivery.
	attemptTime = 15 * time.Second
	// idle is how often the table is looked at though nobody said that there is
	// something.
	idle = time.Second
	// batch is how many messages are read at once.
	batch = 16
)

// Message is what is to be told.
type Message struct {
	// Kind says which handler delivers it.
	Kind string
	// Key names it: adding the same key of a kind again changes nothing.
	Key string
	// Body is JSON.
	Body []byte
	// Attempts is how often it was tried before.
	Attempts int
}

// Decode reads the body into v.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Body, v); err != nil {
		return Dead(fmt.Errorf("a message of kind %q: %w", m.Kind, err))
	}
	return nil
}

// Handler delivers a message. It may be called again for the same one. An error
// made by Dead gives the message up; any other has it tried again later.
type Handler func(ctx context.Context, m Message) error

// Dead marks an error that no repetition would mend.
func Dead(err error) error { return &dead{err} }

type dead struct{ error }

func (d *dead) Unwrap() error { return d.error }

// Config is what an outbox needs.
type Config struct {
	Store *store.Store
	// Handlers by kind. A message of another kind waits for a program that
	// knows it.
	Handlers map[string]Handler
	Log      *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Outbox delivers. It is safe for concurrent use; Run is called once.
type Outbox struct {
	config Config
	wake   chan struct{}
}

// New returns an outbox on a store whose schema has Schema.
func New(c Config) (*Outbox, error) {
	if c.Store == nil || c.Log == nil || len(c.Handlers) == 0 {
		return nil, errors.New("an outbox needs a store, handlers and a log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Outbox{config: c, wake: make(chan struct{}, 1)}, nil
}

// Add puts a message into tx, which commits it with whatever else it holds.
// Call Wake afterwards.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, kind, key string, body any) error {
	if o.config.Handlers[kind] == nil {
		return fmt.Errorf("nothing delivers messages of kind %q", kind)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write a message of kind %q: %w", kind, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO outbox (kind, key, body, due) VALUES (?, ?, ?, ?) ON CONFLICT (kind, key) DO NOTHING",
		kind, key, raw, o.config.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("store a message of kind %q: %w", kind, err)
	}
	return nil
}

// Wake says that there may be something to deliver.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run delivers what is due until ctx ends. What is under way then is tried
// again by the next process.
func (o *Outbox) Run(ctx context.Context) {
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		for {
			n, err := o.Deliver(ctx)
			if err != nil && ctx.Err() == nil {
				o.config.Log.Error("the outbox cannot be read", "error", err.Error())
			}
			if n == 0 || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-tick.C:
		}
	}
}

// Deliver tries what is due now, once each, and returns how many it tried.
func (o *Outbox) Deliver(ctx context.Context) (int, error) {
	due, err := o.due(ctx)
	if err != nil {
		return 0, err
	}
	tried := 0
	for _, m := range due {
		if ctx.Err() != nil {
			return tried, ctx.Err()
		}
		if err := o.deliver(ctx, m); err != nil {
			return tried, err
		}
		tried++
	}
	return tried, nil
}

// stored is a message with its place.
type stored struct {
	Message
	id int64
}

func (o *Outbox) due(ctx context.Context) ([]stored, error) {
	rows, err := o.config.Store.Read().QueryContext(ctx,
		"SELECT id, kind, key, body, attempts FROM outbox WHERE dead = 0 AND due <= ? ORDER BY id LIMIT ?", o.config.Now().UnixMilli(), batch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []stored
	for rows.Next() {
		var m stored
		if err := rows.Scan(&m.id, &m.Kind, &m.Key, &m.Body, &m.Attempts); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// deliver tries one message and stores what came of it.
func (o *Outbox) deliver(ctx context.Context, m stored) error {
	failure := o.try(ctx, m.Message)
	if failure != nil && ctx.Err() != nil {
		return ctx.Err() // it was interrupted, which is no failure of its receiver
	}
	ctx = context.WithoutCancel(ctx) // what was delivered must not be forgotten because the process ends
	return o.config.Store.Write(ctx, func(tx *sql.Tx) error {
		if failure == nil {
			_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE id = ?", m.id)
			return err
		}
		_, gone := errors.AsType[*dead](failure)
		if gone {
			o.config.Log.Error("a message is given up", "kind", m.Kind, "key", m.Key, "error", failure.Error())
		} else {
			o.config.Log.Warn("a message could not be delivered", "kind", m.Kind, "key", m.Key, "attempts", m.Attempts+1, "error", failure.Error())
		}
		_, err := tx.ExecContext(ctx, "UPDATE outbox SET attempts = attempts + 1, due = ?, failure = ?, dead = ? WHERE id = ?",
			o.config.Now().Add(pause(m.Attempts)).UnixMilli(), failure.Error(), gone, m.id)
		return err
	})
}

// try calls the handler, within its time. A panic is a failure like any other.
func (o *Outbox) try(ctx context.Context, m Message) (err error) {
	handle := o.config.Handlers[m.Kind]
	if handle == nil {
		return fmt.Errorf("nothing delivers messages of kind %q", m.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("delivering panicked: %v", cause)
		}
	}()
	return handle(ctx, m)
}

// pause is how long to wait after a failure that others went before.
func pause(before int) time.Duration {
	wait := min(firstRetry<<min(before, 10), lastRetry)
	return wait - rand.N(wait/5) // not all at the same moment
}

// Counts tells how many messages wait, and how many were given up.
func (o *Outbox) Counts(ctx context.Context) (waiting, dead int, err error) {
	err = o.config.Store.Read().QueryRowContext(ctx, "SELECT coalesce(sum(1 - dead), 0), coalesce(sum(dead), 0) FROM outbox").Scan(&waiting, &dead)
	return waiting, dead, err
}
