package payments

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html"

	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/mail"
)

// The kinds of mails.
const (
	kindReceived = "received"
	kindRefund   = "refund"
)

// letter is a mail in the outbox.
type letter struct {
	To          string      `json:"to"`
	Reservation string      `json:"reservation"`
	Amount      hotel.Money `json:"amount"`
	Last4       string      `json:"last4"`
}

// tellGuest puts a mail about a charge into tx, if the guest wants any.
func (s *Service) tellGuest(ctx context.Context, tx *sql.Tx, kind string, c *charge) error {
	if c.receiptTo == "" {
		return nil
	}
	return s.outbox.Add(ctx, tx, kind, c.ID, letter{To: c.receiptTo, Reservation: c.ID, Amount: c.Amount, Last4: c.Last4})
}

// deliver sends a mail of the outbox.
func (s *Service) deliver(ctx context.Context, m outbox.Message) error {
	var l letter
	if err := m.Decode(&l); err != nil {
		return err
	}
	err := s.config.Mail.Send(ctx, l.write(m.Kind))
	if errors.Is(err, mail.ErrRecipient) {
		return outbox.Dead(err)
	}
	return err
}

// write makes the mail. One that is sent twice has the same id both times.
func (l letter) write(kind string) mail.Letter {
	subject := "Payment received"
	body := fmt.Sprintf("we received your payment of %s for reservation %s, by the card ending in %s.", price(l.Amount), l.Reservation, l.Last4)
	after := "The receipt follows when the reservation is confirmed. Nothing is left for you to do."
	if kind == kindRefund {
		subject = "Payment refunded"
		body = fmt.Sprintf("we gave back your payment of %s for reservation %s, to the card ending in %s.", price(l.Amount), l.Reservation, l.Last4)
		after = "It takes your bank a few days to show it. Nothing is left for you to do."
	}
	return mail.Letter{
		To:      l.To,
		Subject: subject + ": " + price(l.Amount),
		ID:      "payment-" + kind + "-" + l.Reservation,
		Text:    "Dear guest,\n\n" + body + "\n\n" + after + "\n",
		HTML: "<!doctype html><html lang=\"en\"><title>" + html.EscapeString(subject) + "</title><p>Dear guest,</p><p>" +
			html.EscapeString(body) + "</p><p>" + html.EscapeString(after) + "</p></html>",
	}
}

// price writes an amount for people, with as many decimals as ISO 4217 gives the
// currency.
func price(m hotel.Money) string {
	decimals := m.Decimals()
	text := fmt.Sprintf("%0*d", decimals+1, m.Amount)
	if decimals > 0 {
		text = text[:len(text)-decimals] + "." + text[len(text)-decimals:]
	}
	return m.Currency + " " + text
}
