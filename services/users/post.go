package users

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/internal/peer"
	"portcullis/services/mail"
)

const (
	// maxReceipt bounds a PDF; ours have some ten KiB, and mail servers take a few
	// MiB.
	maxReceipt = 2 << 20
	// grace is what a mail under way gets when this process is to end: one that is
	// broken off may have been taken, and would be sent again.
	grace = 5 * time.Second
	// inOrder is how long a cancellation waits for the mail of the confirmation,
	// which makes little sense behind it.
	inOrder = time.Minute
	// receiptTime is how long the confirmation of a stay that begins today waits
	// for its receipt. All others wait up to the day of arrival.
	receiptTime = time.Hour
	// missingTime is how long one waits for a receipt of which reporting says that
	// there is none: it may be one that reporting would not make.
	missingTime = 24 * time.Hour
	// lateAfter is how long a mail is tried at least, whenever the stay was.
	lateAfter = 48 * time.Hour
)

// errFirst says that another letter goes first; it is tried again.
var errFirst = errors.New("the confirmation goes first")

// post delivers letters to one kind of recipient. A letter is noted as sent as
// soon as the mail server has taken it.
func (s *Service) post(recipient string) outbox.Handler {
	return func(ctx context.Context, m outbox.Message) error {
		t, err := s.letter(ctx, m.Key, recipient)
		if errors.Is(err, errNone) {
			return outbox.Dead(err)
		}
		if err != nil || t.state != waiting {
			return err // it was sent, and this process killed before the outbox knew
		}
		became, err := s.mail(ctx, t)
		if err != nil {
			return err
		}
		return s.end(context.WithoutCancel(ctx), t.event, t.recipient, became)
	}
}

// mail sends a letter, or finds that it need not be sent any more.
func (s *Service) mail(ctx context.Context, t told) (state, error) {
	now := s.now()
	if hotel.Today(now) > t.about.To && now.Sub(t.received) > lateAfter {
		return isLate, nil
	}
	if t.kind == hotel.BookingCancelled {
		first, err := s.before(ctx, t)
		if err != nil {
			return "", err
		}
		if first != "" {
			if now.Sub(t.received) < inOrder {
				return "", errFirst
			}
			if err := s.end(ctx, first, t.recipient, isOvertaken); err != nil {
				return "", err
			}
		}
	}
	letter, err := s.compose(ctx, t)
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil { // last chance to leave it to the next process
		return "", ctx.Err()
	}
	err = s.send(ctx, letter)
	if errors.Is(err, mail.ErrRecipient) {
		s.config.Log.Warn("a mail server refuses an address", "event", t.event, "recipient", t.recipient)
		return isRefused, nil
	}
	return isSent, err
}

// send sends a letter, and waits a little for its end when ctx has ended.
func (s *Service) send(ctx context.Context, letter mail.Letter) error {
	sent := make(chan error, 1)
	go func() { sent <- s.config.Mail.Send(context.WithoutCancel(ctx), letter) }() // it has its own bound
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-sent:
		return err
	case <-time.After(grace):
		return ctx.Err()
	}
}

// compose writes a letter, the guest's with the receipt.
func (s *Service) compose(ctx context.Context, t told) (mail.Letter, error) {
	l := mail.Letter{ID: messageID(t)}
	var w words
	switch {
	case t.recipient == toHotel:
		l.To = s.desk(t.about.Hotel)
		w = hotelWords(t)
	default:
		p, err := profile(ctx, s.store.Read(), t.guest)
		if err != nil {
			return l, err
		}
		l.To = p.Email
		receipt, err := s.receipt(ctx, t)
		if err != nil {
			return l, err
		}
		if receipt != nil {
			l.Attachments = []mail.Attachment{{Name: "receipt-" + t.about.ID + ".pdf", Type: "application/pdf", Data: receipt}}
		}
		w = s.guestWords(t, receipt != nil)
	}
	var err error
	l.Subject, l.Text = w.Subject, w.text()
	l.HTML, err = w.html(s.letters)
	return l, err
}

// receipt fetches the PDF that goes along; nil for a letter that has none, or
// whose guest is about to arrive and must not wait any longer.
func (s *Service) receipt(ctx context.Context, t told) ([]byte, error) {
	if t.kind != hotel.BookingConfirmed {
		return nil, nil
	}
	// The event may have come before its receipt, whose id is known all the same.
	id := t.about.Receipt
	if id == "" {
		id = "receipt-" + t.about.ID
	}
	pdf, err := s.fetch(ctx, id)
	if err == nil {
		return pdf, nil
	}
	now := s.now()
	waited, arrives := now.Sub(t.received), hotel.Today(now) >= t.about.From
	refusal, missing := errors.AsType[*peer.Refusal](err)
	missing = missing && refusal.Status() == http.StatusNotFound
	if arrives && waited > receiptTime || missing && waited > missingTime {
		return nil, nil
	}
	return nil, err
}

func (s *Service) fetch(ctx context.Context, id string) ([]byte, error) {
	body, err := s.config.Documents.Open(ctx, peer.Call{
		Method: http.MethodGet, Path: strings.Replace(hotel.PathDocument, "{document}", id, 1),
	}, "application/pdf")
	if err != nil {
		return nil, fmt.Errorf("fetch the receipt: %w", err)
	}
	defer func() { _ = body.Close() }()
	pdf, err := io.ReadAll(io.LimitReader(body, maxReceipt+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetch the receipt: %w", err)
	case len(pdf) > maxReceipt || !bytes.HasPrefix(pdf, []byte("%PDF-")):
		return nil, errors.New("the receipt is no PDF, or too large to be mailed")
	}
	return pdf, nil
}

// desk is where a hotel reads its mail.
func (s *Service) desk(id string) string {
	if address := s.config.Desks[id]; address != "" {
		return address
	}
	return "bookings@" + id + ".hotel.test"
}

// messageID is the same for a letter whenever it is sent, and tells nothing.
func messageID(t told) string {
	sum := sha256.Sum256([]byte(t.recipient + "\n" + t.event))
	return hex.EncodeToString(sum[:16])
}

// check refuses a configuration by which no mail could be sent.
func (c Config) check() error {
	if !strings.HasPrefix(c.Bookings, "https://") {
		return fmt.Errorf("the page %q of bookings is no https address: links in mails lead there", c.Bookings)
	}
	for id, address := range c.Desks {
		if !hotel.ValidID(id) || !hotel.ValidEmail(address) {
			return fmt.Errorf("hotel %q cannot be written to at %q", id, address)
		}
	}
	return nil
}
