package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// ourselves is our own name among those who hold data of guests.
const ourselves = "users"

// maxPart bounds what one service tells of a guest, in bytes: ten thousand
// reservations, so that no neighbour fills our memory.
const maxPart = 4 << 20

// export serves GET /v1/guests/{guest}/export: all that is held of the guest, or
// nothing. Half of it would look like all.
func (s *Service) export(w http.ResponseWriter, r *http.Request) error {
	guest, err := owner(r)
	if err != nil {
		return err
	}
	all := hotel.Export{Guest: guest, Made: s.now(), Services: map[string]any{}}
	own, err := s.own(r.Context(), guest)
	if err != nil {
		return err
	}
	all.Services[ourselves] = own
	parts, err := s.gather(r.Context(), guest)
	if err != nil {
		return err
	}
	for name, part := range parts {
		all.Services[name] = part
	}
	w.Header().Set("Content-Disposition", `attachment; filename="my-data.json"`)
	return wire.Answer(w, http.StatusOK, all)
}

// neighbours are those who hold data of guests beside us, by name.
func (s *Service) neighbours() map[string]Neighbour {
	return map[string]Neighbour{
		"reservations": s.config.Reservations, "payments": s.config.Payments, "reporting": s.config.Reporting, "booking": s.config.Booking,
	}
}

// gather asks all neighbours at once.
func (s *Service) gather(ctx context.Context, guest string) (map[string]json.RawMessage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var asked sync.WaitGroup
	parts := map[string]json.RawMessage{}
	var failed error
	for name, n := range s.neighbours() {
		asked.Go(func() {
			part, err := held(ctx, n, guest)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if failed == nil { // the others fail because of the first
					failed = fmt.Errorf("%s: %w", name, err)
				}
				cancel()
				return
			}
			parts[name] = part
		})
	}
	asked.Wait()
	if p, ok := errors.AsType[*problem.Problem](failed); ok && p.Code == problem.ClientClosed {
		return nil, p
	}
	if failed != nil {
		return nil, problem.New(problem.Unavailable, "Not everything could be gathered, and a part would not do: try again in a while.").
			With("Retry-After", "5").Because(failed)
	}
	return parts, nil
}

// held is what a neighbour holds of a guest: one JSON object.
func held(ctx context.Context, n Neighbour, guest string) (json.RawMessage, error) {
	body, err := n.Export.Open(ctx, peer.Call{Method: http.MethodGet, Path: path(hotel.PathGuestData, guest)}, "application/json")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(body, maxPart+1))
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	if len(raw) > maxPart {
		return nil, fmt.Errorf("more than %d bytes are held", maxPart)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return nil, errors.New("what is held is no JSON object") // not the error: it quotes
	}
	return raw, nil
}

// ownData is what we hold.
type ownData struct {
	Profile *hotel.Profile `json:"profile,omitempty"`
	Mails   []ownMail      `json:"mails"`
	Removal *hotel.Removal `json:"removal,omitempty"`
}

// ownMail is a mail that was caused by an event of the guest's.
type ownMail struct {
	Event       string    `json:"event"`
	Kind        string    `json:"kind"`
	Reservation string    `json:"reservation"`
	Recipient   string    `json:"recipient"`
	State       string    `json:"state"`
	Changed     time.Time `json:"changed"`
	// About is what the mail is to say, until it was sent.
	About json.RawMessage `json:"about,omitempty"`
}

func (s *Service) own(ctx context.Context, guest string) (ownData, error) {
	data := ownData{Mails: []ownMail{}}
	p, err := profile(ctx, s.store.Read(), guest)
	switch {
	case err == nil:
		data.Profile = &p
	case !errors.Is(err, errNone):
		return data, err
	}
	r, err := removal(ctx, s.store.Read(), guest)
	switch {
	case err == nil:
		data.Removal = &r
	case !errors.Is(err, errNone):
		return data, err
	}
	rows, err := s.store.Read().QueryContext(ctx, `SELECT e.id, e.kind, e.reservation, l.recipient, l.state, l.changed, e.body
		FROM events e JOIN letters l ON l.event = e.id WHERE e.guest = ? ORDER BY e.received, e.id, l.recipient`, guest)
	if err != nil {
		return data, fmt.Errorf("read the mails of a guest: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var m ownMail
		var changed int64
		var about []byte
		if err := rows.Scan(&m.Event, &m.Kind, &m.Reservation, &m.Recipient, &m.State, &changed, &about); err != nil {
			return data, fmt.Errorf("read the mails of a guest: %w", err)
		}
		m.Changed, m.About = time.UnixMilli(changed).UTC(), about
		data.Mails = append(data.Mails, m)
	}
	return data, rows.Err()
}
