package booking

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// sessionCookie: __Host- keeps other hosts, other paths and plain http from
	// planting one.
	sessionCookie = "__Host-session"
	// sessionLife ends a session however busy it is, idleLife one that rests.
	sessionLife = 12 * time.Hour
	idleLife    = 2 * time.Hour
	// seenStep is how exactly the last use is known; a write a request would cost
	// more than it tells.
	seenStep = time.Minute
)

// errNoSession says that nobody is signed in by this cookie.
var errNoSession = errors.New("there is no such session")

// session is somebody who is signed in.
type session struct {
	id      secret
	Guest   string
	tokens  tokens
	Created time.Time
	Expires time.Time
}

// tokens are what a session holds sealed.
type tokens struct {
	Access  string    `json:"access"`
	Until   time.Time `json:"until"`
	Refresh string    `json:"refresh"`
	// ID is the token that a sign-out shows to the token service.
	ID    string `json:"id"`
	Email string `json:"email"`
}

// begin makes a session and its cookie. The id is always new: whoever planted
// one before the sign-in knows nothing afterwards.
func (s *Service) begin(w http.ResponseWriter, r *http.Request, guest string, t tokens) error {
	now := s.config.Now()
	fresh := &session{id: newSecret(), Guest: guest, tokens: t, Created: now, Expires: now.Add(sessionLife)}
	sealed, err := fresh.id.seal(t)
	if err != nil {
		return err
	}
	old, had := held(r)
	err = s.store.Write(r.Context(), func(tx *sql.Tx) error {
		if had {
			if _, err := tx.ExecContext(r.Context(), "DELETE FROM sessions WHERE lookup = ?", old.lookup()); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(r.Context(), "INSERT INTO sessions (lookup, guest, sealed, created, seen, expires) VALUES (?, ?, ?, ?, ?, ?)",
			fresh.id.lookup(), guest, sealed, now.Unix(), now.Unix(), fresh.Expires.Unix())
		return err
	})
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	setCookie(w, sessionCookie, fresh.id.cookie(), int(sessionLife.Seconds()))
	return nil
}

// find returns the session of a cookie, or errNoSession.
func (s *Service) find(ctx context.Context, id secret) (*session, error) {
	var sealed []byte
	var created, seen, expires int64
	found := &session{id: id}
	err := s.store.Read().QueryRowContext(ctx, "SELECT guest, sealed, created, seen, expires FROM sessions WHERE lookup = ?", id.lookup()).
		Scan(&found.Guest, &sealed, &created, &seen, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("find a session: %w", err)
	}
	now := s.config.Now()
	found.Created, found.Expires = time.Unix(created, 0), time.Unix(expires, 0)
	if !now.Before(found.Expires) || now.Sub(time.Unix(seen, 0)) > idleLife {
		return nil, errNoSession
	}
	if err := id.open(sealed, &found.tokens); err != nil {
		return nil, err
	}
	if now.Sub(time.Unix(seen, 0)) >= seenStep {
		err := s.store.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE sessions SET seen = ? WHERE lookup = ?", now.Unix(), id.lookup())
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("mark a session as used: %w", err)
		}
	}
	return found, nil
}

// keep stores new tokens in a session that is still there; errNoSession if it
// was ended meanwhile.
func (s *Service) keep(ctx context.Context, id secret, t tokens) error {
	sealed, err := id.seal(t)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE sessions SET sealed = ? WHERE lookup = ?", sealed, id.lookup())
		if err != nil {
			return fmt.Errorf("keep a session's tokens: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoSession)
		}
		return nil
	})
}

// end forgets a session.
func (s *Service) end(ctx context.Context, id secret) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE lookup = ?", id.lookup())
		return err
	})
}

// sweep forgets the sessions that have ended by themselves.
func (s *Service) sweep(ctx context.Context) error {
	now := s.config.Now()
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expires <= ? OR seen < ?", now.Unix(), now.Add(-idleLife).Unix())
		return err
	})
}

// held is the session secret that the browser holds, good or not.
func held(r *http.Request) (secret, bool) { return parseSecret(cookie(r, sessionCookie)) }

// cookie is the value of a cookie, if there is exactly one of its name.
func cookie(r *http.Request, name string) string {
	if all := r.CookiesNamed(name); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

func setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
