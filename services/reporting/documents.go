package reporting

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"portcullis/services/hotel"
)

var (
	errNone   = errors.New("no such document")
	errOther  = errors.New("a document of this id has other content")
	errErased = errors.New("the guest was erased")
)

// querier is what reads run on: the pool, or a transaction that will write.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// known returns the document that this content made before. It returns errNone
// when there is none of the id, errOther when other content made it, and
// errErased when nobody can tell any more.
func (s *Service) known(ctx context.Context, q querier, id string, content []byte) (*hotel.Document, error) {
	var stored []byte
	d := hotel.Document{ID: id, Proof: s.secret.code(id)}
	var guest sql.NullString
	var created int64
	err := q.QueryRowContext(ctx, "SELECT kind, guest, created, sha256, content FROM documents WHERE id = ?", id).
		Scan(&d.Kind, &guest, &created, &d.SHA256, &stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, errNone
	case err != nil:
		return nil, fmt.Errorf("find a document: %w", err)
	case !guest.Valid:
		return nil, errErased
	case !bytes.Equal(stored, content):
		return nil, errOther
	}
	d.Guest, d.Created = guest.String, time.UnixMilli(created).UTC()
	return &d, nil
}

// add stores a document, unless the same was stored meanwhile; fresh tells. It
// returns errOther or errErased.
func (s *Service) add(ctx context.Context, r hotel.DocumentRequest, content, pdf []byte) (made *hotel.Document, fresh bool, err error) {
	sum := sha256.Sum256(pdf)
	var name, arrival, departure, currency *string
	var amount *int64
	if b := r.Reservation; b != nil {
		called, from, to := hotelName(b), b.From.String(), b.To.String()
		name, arrival, departure, currency, amount = &called, &from, &to, &b.Total.Currency, &b.Total.Amount
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		var erased bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erased WHERE mark = ?)", s.secret.mark(r.Guest)).Scan(&erased); err != nil {
			return fmt.Errorf("look for a removed guest: %w", err)
		}
		if erased {
			return errErased
		}
		done, err := tx.ExecContext(ctx, `
			INSERT INTO documents (id, kind, date, hotel, arrival, departure, amount, currency, sha256, created, guest, content, pdf)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			r.ID, string(r.Kind), r.Date.String(), name, arrival, departure, amount, currency,
			hex.EncodeToString(sum[:]), s.config.Now().UnixMilli(), r.Guest, content, pdf)
		if err != nil {
			return fmt.Errorf("store a document: %w", err)
		}
		rows, err := done.RowsAffected()
		if err != nil {
			return fmt.Errorf("store a document: %w", err)
		}
		fresh = rows == 1
		made, err = s.known(ctx, tx, r.ID, content)
		return err
	})
	return made, fresh, err
}

// pdf returns a document and whose it is, or errNone.
func (s *Service) pdf(ctx context.Context, id string) (guest string, pdf []byte, err error) {
	err = s.store.Read().QueryRowContext(ctx, "SELECT guest, pdf FROM documents WHERE id = ? AND guest IS NOT NULL", id).Scan(&guest, &pdf)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, errNone
	}
	if err != nil {
		return "", nil, fmt.Errorf("read a document: %w", err)
	}
	return guest, pdf, nil
}

// of returns at most limit of the guest's documents, newest first, beginning
// after the one with the id after if that is not empty. It returns errNone when
// the guest has no document with that id.
func (s *Service) of(ctx context.Context, guest, after string, limit int) (*hotel.Documents, error) {
	before := int64(math.MaxInt64)
	if after != "" {
		err := s.store.Read().QueryRowContext(ctx, "SELECT seq FROM documents WHERE id = ? AND guest = ?", after, guest).Scan(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, errNone
		}
		if err != nil {
			return nil, fmt.Errorf("find a document: %w", err)
		}
	}
	// One more than asked for reports whether there is a next page.
	all, err := s.rows(ctx, "WHERE guest = ? AND seq < ? ORDER BY seq DESC LIMIT ?", guest, before, limit+1)
	if err != nil {
		return nil, err
	}
	page := &hotel.Documents{Documents: []hotel.Document{}} // an empty list on the wire, not null
	for i, d := range all {
		if i == limit {
			page.Next = page.Documents[i-1].ID
			break
		}
		page.Documents = append(page.Documents, d.Document)
	}
	return page, nil
}

// heldDocument is a document with all that stands on it.
type heldDocument struct {
	hotel.Document
	Content json.RawMessage `json:"content"`
}

// heldData is all that the service holds of a guest. The PDFs say nothing that
// is not in it, and are at PathDocument.
type heldData struct {
	Documents []heldDocument `json:"documents"`
}

func (s *Service) held(ctx context.Context, guest string) (*heldData, error) {
	all, err := s.rows(ctx, "WHERE guest = ? ORDER BY seq", guest)
	if err != nil {
		return nil, err
	}
	return &heldData{Documents: all}, nil
}

func (s *Service) rows(ctx context.Context, where string, args ...any) ([]heldDocument, error) {
	rows, err := s.store.Read().QueryContext(ctx, "SELECT id, kind, guest, created, sha256, content FROM documents "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := []heldDocument{}
	for rows.Next() {
		var d heldDocument
		var created int64
		if err := rows.Scan(&d.ID, &d.Kind, &d.Guest, &created, &d.SHA256, (*[]byte)(&d.Content)); err != nil {
			return nil, fmt.Errorf("read documents: %w", err)
		}
		d.Created, d.Proof = time.UnixMilli(created).UTC(), s.secret.code(d.ID)
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	return all, nil
}

// proof returns what anybody may know of a document, erased or not, or errNone.
func (s *Service) proof(ctx context.Context, id string) (*hotel.Proof, error) {
	p := hotel.Proof{Document: id}
	var date string
	var name, arrival, departure, currency sql.NullString
	var amount sql.NullInt64
	err := s.store.Read().QueryRowContext(ctx,
		"SELECT kind, date, hotel, arrival, departure, amount, currency, sha256 FROM documents WHERE id = ?", id).
		Scan(&p.Kind, &date, &name, &arrival, &departure, &amount, &currency, &p.SHA256)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNone
	}
	if err == nil {
		p.Date, err = hotel.ParseDate(date)
	}
	if err == nil && arrival.Valid {
		p.Hotel, p.Total, p.Stay = name.String, &hotel.Money{Amount: amount.Int64, Currency: currency.String}, &hotel.Stay{}
		if p.Stay.From, err = hotel.ParseDate(arrival.String); err == nil {
			p.Stay.To, err = hotel.ParseDate(departure.String)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read a proof: %w", err)
	}
	return &p, nil
}

// forget erases a guest: what documents say, and whose they were. The guest's
// mark stays, so that a request that was on its way brings nothing back.
func (s *Service) forget(ctx context.Context, guest string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE documents SET guest = NULL, content = NULL, pdf = NULL WHERE guest = ?", guest); err != nil {
			return fmt.Errorf("erase a guest: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO erased (mark) VALUES (?) ON CONFLICT DO NOTHING", s.secret.mark(guest)); err != nil {
			return fmt.Errorf("erase a guest: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.store.Scrub(ctx)
}

// write has SQLite overwrite whatever a write frees or moves, because erased
// must mean gone from the file too. The setting is the connection's, and costs
// less than to know whether it is a new one.
func (s *Service) write(ctx context.Context, do func(*sql.Tx) error) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "PRAGMA secure_delete = 1"); err != nil {
			return fmt.Errorf("have what is freed overwritten: %w", err)
		}
		return do(tx)
	})
}
