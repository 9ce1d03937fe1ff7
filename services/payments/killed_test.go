package payments_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"portcullis/services/hotel"
)

// A process that is killed leaves what it had committed, and at the bank what it
// had sent. These are all the states there are between two commits.
func TestWhatAKilledProcessLeavesIsFinished(t *testing.T) {
	toBank := func(w *world, card string) {
		w.direct(http.MethodPost, "/charges", "r-1", fmt.Sprintf(`{"amount":500,"currency":"EUR","card":{"number":%q,"expiry":"12/40","code":"123"}}`, card))
	}
	charged := func(w *world) { w.wants(201, w.pay("g-7", "r-1", 500, good)) }
	for name, c := range map[string]struct {
		before func(*world) // by the living process
		left   []string     // what the killed one had committed
		sent   func(*world)
		end    hotel.ChargeStatus
		again  int // the status when it is charged once more
		held   int64
		mails  int
	}{
		"stored, the bank not asked": {
			left: pending(), sent: func(*world) {}, end: hotel.ChargeVoided, again: 409,
		},
		"stored, the bank has charged": {
			left: pending(), sent: func(w *world) { toBank(w, good) }, end: hotel.ChargeApproved, again: 200, held: 500, mails: 1,
		},
		"stored, the bank has charged, and a proxy before it says 404": {
			left: pending(), sent: func(w *world) {
				toBank(w, good)
				w.tell(`{"status":404,"body":"<html>","only":"GET /charges/","times":2}`)
			}, end: hotel.ChargeApproved, again: 200, held: 500, mails: 1,
		},
		"stored, the bank has charged, and a proxy before it says 404 in JSON": {
			left: pending(), sent: func(w *world) {
				toBank(w, good)
				w.tell(`{"status":404,"body":"{\"error\":\"no route\"}","only":"GET /charges/","times":2}`)
			}, end: hotel.ChargeApproved, again: 200, held: 500, mails: 1,
		},
		"stored, the bank has declined": {
			left: pending(), sent: func(w *world) { toBank(w, declined) }, end: hotel.ChargeDeclined, again: 402,
		},
		"found unknown to the bank, the bank not told": {
			left: append(pending(), "UPDATE charges SET status = 'voided', task = 'void', returned = 0"), sent: func(w *world) { toBank(w, good) }, end: hotel.ChargeVoided, again: 409,
		},
		"voided, the bank not told": {
			before: charged, left: []string{"UPDATE charges SET status = 'voided', task = 'void', returned = 0"}, sent: func(*world) {}, end: hotel.ChargeVoided, again: 409, mails: 2,
		},
		"voided, the bank told": {
			before: charged, left: []string{"UPDATE charges SET status = 'voided', task = 'void', returned = 0"},
			sent: func(w *world) { w.direct(http.MethodPost, "/charges/r-1/void", "", "") }, end: hotel.ChargeVoided, again: 409, mails: 2,
		},
		"refunded, the bank told": {
			before: charged, left: []string{"UPDATE charges SET status = 'refunded', task = 'refund', returned = 0"},
			sent: func(w *world) { w.direct(http.MethodPost, "/charges/r-1/refund", "", `{"amount":500}`) }, end: hotel.ChargeRefunded, again: 409, mails: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			w.stop()
			db := w.database()
			for _, statement := range c.left {
				if _, err := db.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			_ = db.Close()
			c.sent(w)
			w.start()
			w.eventually("it is "+string(c.end), func() bool { return w.get("r-1").charge(t).Status == c.end })
			w.balanced()
			if b := w.books(); b.Balance["EUR"] != c.held {
				t.Errorf("the bank has %+v", b)
			}
			w.eventually("the guest has the mails", func() bool {
				// A mail that went out as the process ended goes out again, with the
				// same Message-ID.
				return len(slices.Compact(w.mails("g@guest.test"))) == c.mails
			})
			if a := w.pay("g-7", "r-1", 500, good); a.StatusCode != c.again {
				t.Errorf("charged again it answers %d: %s", a.StatusCode, a.body)
			}
			if b := w.books(); b.Balance["EUR"] != c.held {
				t.Errorf("afterwards the bank has %+v", b)
			}
		})
	}
}

// pending are the statements that a charge begins with.
func pending() []string {
	return []string{
		"INSERT INTO guests (guest) VALUES ('g-7')",
		fmt.Sprintf(`INSERT INTO charges (id, account, amount, currency, last4, status, receipt_to, created, task, due)
			VALUES ('r-1', 1, 500, 'EUR', '4242', 'pending', 'g@guest.test', %d, 'ask', 0)`, time.Now().UnixMilli()),
	}
}
