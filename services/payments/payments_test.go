package payments_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/payments"
)

func TestTheContractIsServed(t *testing.T) {
	contract.Serves(t, payments.Contract(), newWorld(t).service.Handler())
}

func TestACharge(t *testing.T) {
	w := newWorld(t)
	paid := w.wants(201, w.pay("g-7", "r-1", 20000, good))
	if at := paid.Header.Get("Location"); at != "/v1/charges/r-1" {
		t.Errorf("Location %q", at)
	}
	c := paid.charge(t)
	if c.ID != "r-1" || c.Guest != "g-7" || c.Status != hotel.ChargeApproved || c.Last4 != "4242" || c.Amount.Amount != 20000 {
		t.Errorf("charged %+v", c)
	}
	if again := w.wants(200, w.pay("g-7", "r-1", 20000, good)); again.body != paid.body {
		t.Errorf("once more it is %s, before %s", again.body, paid.body)
	}
	if shown := w.wants(200, w.get("r-1")); shown.body != paid.body {
		t.Errorf("shown as %s", shown.body)
	}
	w.wants(404, w.get("r-2"))
	if b := w.books(); b.Balance["EUR"] != 20000 || len(b.Charges) != 1 {
		t.Errorf("the bank has %+v", b)
	}
	w.eventually("one mail came", func() bool { return slices.Equal(w.mails("g@guest.test"), []string{"Payment received: EUR 200.00"}) })
	w.balanced()
}

func TestOneKeyIsChargedOnceHoweverManyAskAtOnce(t *testing.T) {
	w := newWorld(t)
	w.tell(`{"delay":"100ms"}`)
	var first, again atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			switch a := w.pay("g-7", "r-1", 500, good); a.StatusCode {
			case 201:
				first.Add(1)
			case 200:
				again.Add(1)
			default:
				t.Errorf("answered %d: %s", a.StatusCode, a.body)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 || again.Load() != 39 {
		t.Errorf("%d times 201 and %d times 200", first.Load(), again.Load())
	}
	if b := w.books(); b.Balance["EUR"] != 500 {
		t.Errorf("the bank has %+v", b)
	}
	w.balanced()
}

func TestAKeyIsForItsTermsAlone(t *testing.T) {
	w := newWorld(t)
	w.wants(201, w.pay("g-7", "r-1", 500, good))
	for name, a := range map[string]reply{
		"another amount":   w.pay("g-7", "r-1", 501, good),
		"another guest":    w.pay("g-9", "r-1", 500, good),
		"another card":     w.pay("g-7", "r-1", 500, "5555555555554444"),
		"another currency": w.post("g-7", "r-1", strings.Replace(body("r-1", 500, good), "EUR", "USD", 1)),
	} {
		if a.StatusCode != http.StatusConflict {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if b := w.books(); b.Balance["EUR"] != 500 || len(b.Charges) != 1 {
		t.Errorf("the bank has %+v", b)
	}
}

func TestADeclinedCardIsToldWhy(t *testing.T) {
	w := newWorld(t)
	for id, c := range map[string]struct{ card, says string }{
		"r-1": {declined, "does not allow"},
		"r-2": {"4000000000009995", "not enough money"},
		"r-3": {"4000000000000069", "expired"},
		"r-4": {"4000000000009979", "does not allow"},
	} {
		for range 2 { // the second time from memory
			a := w.wants(402, w.pay("g-7", id, 500, c.card))
			if !strings.Contains(a.body, c.says) || !strings.Contains(a.body, `"payment_declined"`) {
				t.Errorf("%s: %s", c.card, a.body)
			}
		}
		if got := w.get(id).charge(t); got.Status != hotel.ChargeDeclined || !strings.Contains(got.Declined, c.says) {
			t.Errorf("stored as %+v", got)
		}
		w.wants(409, w.refund(id))
		if got := w.wants(200, w.void(id)).charge(t); got.Status != hotel.ChargeDeclined {
			t.Errorf("voided it is %s", got.Status)
		}
	}
	if mails := w.mails("g@guest.test"); len(mails) != 0 {
		t.Errorf("mails %q", mails)
	}
	w.balanced()
}

func TestWhatCannotBeChargedNeverReachesTheBank(t *testing.T) {
	w := newWorld(t)
	base := body("r-1", 500, good)
	for name, c := range map[string]struct {
		body, says string
		status     int
	}{
		"a mistyped number":                {strings.Replace(base, good, "4242424242424241", 1), "mistyped", 402},
		"a number with letters":            {strings.Replace(base, good, "4242x24242424242", 1), "12 to 19 digits", 402},
		"an expired card":                  {strings.Replace(base, "12/40", "01/20", 1), "has expired", 402},
		"a month that is none":             {strings.Replace(base, "12/40", "13/40", 1), "mistyped", 402},
		"no code":                          {strings.Replace(base, `"123"`, `""`, 1), "security code", 402},
		"no amount":                        {strings.Replace(base, "500", "0", 1), "The amount must", 422},
		"an amount below zero":             {strings.Replace(base, "500", "-500", 1), "The amount must", 422},
		"too much":                         {strings.Replace(base, "500", "1000000001", 1), "The amount must", 422},
		"a currency in words":              {strings.Replace(base, "EUR", "Eur", 1), "ISO 4217", 422},
		"another reservation than the key": {strings.Replace(base, "r-1", "r-2", 1), "Idempotency-Key", 422},
		"an address with a name":           {strings.Replace(base, "g@guest.test", "G <g@guest.test>", 1), "receipt_to", 422},
		"an address with a second line":    {strings.Replace(base, "g@guest.test", `g@guest.test\r\nBcc: x@y.test`, 1), "receipt_to", 422},
		"an unknown field":                 {strings.Replace(base, `"reservation"`, `"colour":"red","reservation"`, 1), "colour", 422},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.post("g-7", "r-1", c.body)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.says) {
				t.Errorf("%d %s, want %d that says %q", a.StatusCode, a.body, c.status, c.says)
			}
		})
	}
	w.wants(400, w.post("g-7", "", base))
	w.wants(400, w.post("g-7", "not/an/id", base))
	if b := w.books(); len(b.Charges) != 0 {
		t.Errorf("the bank has %+v", b)
	}
	w.wants(201, w.post("g-7", "r-1", base)) // the key is as good as new
}

func TestVoid(t *testing.T) {
	t.Run("of what was charged gives it back, once, and mails it", func(t *testing.T) {
		w := newWorld(t)
		w.wants(201, w.pay("g-7", "r-1", 500, good))
		for range 2 {
			if c := w.wants(200, w.void("r-1")).charge(t); c.Status != hotel.ChargeVoided || c.Returned == nil {
				t.Errorf("voided it is %+v", c)
			}
		}
		w.wants(409, w.pay("g-7", "r-1", 500, good))
		w.wants(200, w.refund("r-1")) // changes nothing
		w.eventually("the money is back", func() bool { return w.books().Balance["EUR"] == 0 })
		w.eventually("the guest knows", func() bool {
			return slices.Equal(w.mails("g@guest.test"), []string{"Payment received: EUR 5.00", "Payment refunded: EUR 5.00"})
		})
		w.balanced()
	})
	t.Run("of a key that nobody used keeps it from being charged for ever", func(t *testing.T) {
		w := newWorld(t)
		c := w.wants(200, w.void("r-9")).charge(t)
		if c.Status != hotel.ChargeVoided || c.Guest != "" || c.Amount != (hotel.Money{Currency: "XXX"}) {
			t.Errorf("voided it is %+v", c)
		}
		w.wants(409, w.pay("g-7", "r-9", 500, good))
		w.stop()
		w.start()
		w.wants(409, w.pay("g-7", "r-9", 500, good))
		if b := w.books(); len(b.Charges) != 0 {
			t.Errorf("the bank has %+v", b)
		}
		w.wants(404, w.void("not~an~id"))
	})
	t.Run("wins over a charge that is on its way to the bank", func(t *testing.T) {
		w := newWorld(t)
		w.tell(`{"delay":"400ms","only":"POST /charges"}`)
		answered := make(chan reply)
		go func() { answered <- w.pay("g-7", "r-1", 500, good) }()
		w.eventually("it is pending", func() bool { return w.get("r-1").StatusCode == 200 })
		if c := w.wants(200, w.void("r-1")).charge(t); c.Status != hotel.ChargeVoided {
			t.Errorf("voided it is %s", c.Status)
		}
		// On a busy machine the charge gives up before it learns of the void.
		if r := <-answered; r.StatusCode != 409 && r.StatusCode != 503 {
			t.Errorf("the charge was answered %d", r.StatusCode)
		}
		w.behave()
		w.eventually("the bank gave it back", func() bool {
			b := w.books()
			return len(b.Charges) == 1 && b.Charges[0].Status == "voided"
		})
		if mails := w.mails("g@guest.test"); len(mails) != 0 {
			t.Errorf("mails %q", mails)
		}
		w.balanced()
	})
	t.Run("holds while the bank is down, and reaches it when it is back", func(t *testing.T) {
		w := newWorld(t)
		w.wants(201, w.pay("g-7", "r-1", 500, good))
		w.tell(`{"status":503}`)
		w.wants(200, w.void("r-1"))
		w.wants(409, w.pay("g-7", "r-1", 500, good))
		w.stop()
		w.start() // another process
		w.behave()
		w.eventually("the money is back", func() bool { return w.books().Balance["EUR"] == 0 })
	})
}

func TestRefund(t *testing.T) {
	w := newWorld(t)
	w.wants(404, w.refund("r-1"))
	w.wants(201, w.pay("g-7", "r-1", 500, good))
	w.tell(`{"cut":true,"times":1}`) // the bank gives it back and nobody hears
	for range 3 {
		if c := w.wants(200, w.refund("r-1")).charge(t); c.Status != hotel.ChargeRefunded || c.Returned == nil {
			t.Errorf("refunded it is %+v", c)
		}
	}
	w.wants(409, w.pay("g-7", "r-1", 500, good))
	if c := w.wants(200, w.void("r-1")).charge(t); c.Status != hotel.ChargeRefunded {
		t.Errorf("voided it is %s", c.Status)
	}
	w.eventually("the guest knows", func() bool {
		return slices.Equal(w.mails("g@guest.test"), []string{"Payment received: EUR 5.00", "Payment refunded: EUR 5.00"})
	})
	if b := w.books(); b.Balance["EUR"] != 0 || b.Charges[0].Refunded != 500 {
		t.Errorf("the bank has %+v", b)
	}
	w.balanced()
}

func TestABankThatMisbehaves(t *testing.T) {
	for name, c := range map[string]struct {
		told   string
		status int // of the answer to the guest
		end    hotel.ChargeStatus
	}{
		"busy once: it is asked again":                            {`{"status":503,"times":1}`, 201, hotel.ChargeApproved},
		"cut off once after it charged: it knows the key":         {`{"cut":true,"times":1}`, 201, hotel.ChargeApproved},
		"everything twice":                                        {`{"twice":true}`, 201, hotel.ChargeApproved},
		"slow, within its time":                                   {`{"delay":"200ms"}`, 201, hotel.ChargeApproved},
		"down for every charge: it never heard of it, so no":      {`{"status":503,"only":"POST /charges"}`, 503, hotel.ChargeVoided},
		"cut off after each charge: it is asked what it did":      {`{"cut":true,"only":"POST /charges"}`, 503, hotel.ChargeApproved},
		"talking nonsense after each charge":                      {`{"body":"<html>","only":"POST /charges"}`, 503, hotel.ChargeApproved},
		"answering another's approval with a server error":        {`{"status":500,"body":"{\"status\":\"approved\"}","only":"POST /charges"}`, 503, hotel.ChargeVoided},
		"saying declined with the status of approved":             {`{"body":"{\"status\":\"declined\"}","only":"POST /charges"}`, 503, hotel.ChargeApproved},
		"much slower than anybody waits: what comes late is void": {`{"delay":"1m","only":"POST /charges"}`, 503, hotel.ChargeVoided},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := 3 * bankTime // so that a busy machine reaches the bank
			switch {
			case c.status == 201:
				within = patientTime
			case strings.Contains(c.told, "delay"):
				within = bankTime
			}
			w := newWorldWithin(t, within)
			w.tell(c.told)
			a := w.pay("g-7", "r-1", 500, good)
			if a.StatusCode != c.status || (c.status == 503) != (a.Header.Get("Retry-After") != "") {
				t.Errorf("the guest got %d, want %d: %s", a.StatusCode, c.status, a.body)
			}
			w.eventually("it is "+string(c.end), func() bool { return w.get("r-1").charge(t).Status == c.end })
			w.behave()
			want := map[hotel.ChargeStatus]int64{hotel.ChargeApproved: 500}[c.end]
			w.eventually("the bank holds what it should", func() bool {
				b := w.books()
				return b.Balance["EUR"] == want && len(b.Charges) == 1 && b.Charges[0].Status == string(c.end)
			})
			if c.end == hotel.ChargeApproved {
				w.wants(200, w.pay("g-7", "r-1", 500, good))
			} else {
				w.wants(409, w.pay("g-7", "r-1", 500, good))
			}
			if c.end == hotel.ChargeApproved {
				w.eventually("one mail came", func() bool { return len(w.mails("g@guest.test")) == 1 })
			}
			w.balanced()
		})
	}
}

func TestABankThatIsAwayLeavesChargesPendingUntilItIsBack(t *testing.T) {
	w := newWorld(t)
	w.tell(`{"status":503}`)
	w.wants(503, w.pay("g-7", "r-1", 500, good))
	if c := w.get("r-1").charge(t); c.Status != hotel.ChargePending {
		t.Errorf("it is %s", c.Status)
	}
	w.wants(503, w.refund("r-1"))
	w.stop()
	w.start()
	w.wants(503, w.pay("g-7", "r-1", 500, good))
	w.behave()
	w.eventually("it is settled", func() bool { return w.get("r-1").charge(t).Status == hotel.ChargeVoided })
}

func TestAChargeThatAProcessDiedOverIsSettledByTheNext(t *testing.T) {
	w := newWorld(t)
	w.tell(`{"cut":true}`) // charged there, never heard of here, and no way to ask
	w.wants(503, w.pay("g-7", "r-1", 500, good))
	w.stop()
	w.behave()
	w.start()
	w.eventually("it is approved", func() bool { return w.get("r-1").charge(t).Status == hotel.ChargeApproved })
	w.eventually("the guest knows", func() bool { return len(slices.Compact(w.mails("g@guest.test"))) == 1 })
	w.balanced()
}

func TestAGuestWhoHangsUpIsChargedOnceOrNot(t *testing.T) {
	w := newWorldWithin(t, patientTime)
	w.tell(`{"delay":"1m","only":"POST /charges"}`)
	ctx, hangUp := context.WithCancel(t.Context())
	bearer := w.issuer.Mint(map[string]any{"aud": "payments", "sub": "g-7", "client_id": "reservations", "scope": hotel.ScopeChargesWrite})
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.server.URL+"/v1/charges", strings.NewReader(body("r-1", 500, good)))
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "r-1")
	ended := make(chan error, 1)
	go func() {
		resp, err := w.client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	w.eventually("the charge is on its way to the bank", func() bool { return w.get("r-1").StatusCode == 200 })
	hangUp()
	if err := <-ended; err == nil {
		t.Fatal("there was an answer")
	}
	w.behave() // the bank goes on
	w.eventually("what the bank did is known", func() bool {
		a := w.get("r-1")
		return a.StatusCode == 200 && a.charge(t).Status == hotel.ChargeApproved
	})
	w.wants(200, w.pay("g-7", "r-1", 500, good))
	if b := w.books(); b.Balance["EUR"] != 500 {
		t.Errorf("the bank has %+v", b)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	w.wants(201, w.pay("g-7", "r-1", 500, good))
	every := []struct{ method, path, scope string }{
		{http.MethodPost, "/v1/charges", hotel.ScopeChargesWrite},
		{http.MethodGet, "/v1/charges/r-1", hotel.ScopeChargesSettle},
		{http.MethodPost, "/v1/charges/r-1/void", hotel.ScopeChargesSettle},
		{http.MethodPost, "/v1/charges/r-1/refund", hotel.ScopeChargesSettle},
		{http.MethodGet, "/v1/guests/g-7/charges", hotel.ScopeChargesRead},
		{http.MethodGet, "/v1/guests/g-7/data", hotel.ScopeGuestExport},
		{http.MethodDelete, "/v1/guests/g-7/data", hotel.ScopeGuestErase},
	}
	scopes := []string{hotel.ScopeChargesWrite, hotel.ScopeChargesSettle, hotel.ScopeChargesRead, hotel.ScopeGuestExport, hotel.ScopeGuestErase}
	for _, e := range every {
		others := strings.Join(slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == e.scope }), " ")
		if a := w.send(w.issuer.Mint(map[string]any{"aud": "payments", "sub": "g-7", "scope": others}), e.method, e.path, "", ""); a.StatusCode != 403 {
			t.Errorf("%s %s without its scope: %d", e.method, e.path, a.StatusCode)
		}
		if a := w.send(w.issuer.Mint(map[string]any{"aud": "reservations", "sub": "g-7", "scope": e.scope}), e.method, e.path, "", ""); a.StatusCode != 401 {
			t.Errorf("%s %s with the neighbour's token: %d", e.method, e.path, a.StatusCode)
		}
		if a := w.send("", e.method, e.path, "", ""); a.StatusCode != 401 {
			t.Errorf("%s %s without a token: %d", e.method, e.path, a.StatusCode)
		}
	}
	t.Run("a service has no card", func(t *testing.T) {
		own := w.issuer.Mint(map[string]any{"aud": "payments", "sub": "reservations", "client_id": "reservations", "scope": hotel.ScopeChargesWrite})
		if a := w.send(own, http.MethodPost, "/v1/charges", "r-2", body("r-2", 500, good)); a.StatusCode != 403 {
			t.Errorf("answered %d", a.StatusCode)
		}
	})
	t.Run("another guest's charges are not shown", func(t *testing.T) {
		as := func(guest string) reply {
			return w.send(w.issuer.Mint(map[string]any{"aud": "payments", "sub": guest, "scope": hotel.ScopeChargesRead}), http.MethodGet, "/v1/guests/g-7/charges", "", "")
		}
		if a := as("g-9"); a.StatusCode != 403 {
			t.Errorf("answered %d", a.StatusCode)
		}
		if a := as("g-7"); a.StatusCode != 200 || !strings.Contains(a.body, `"r-1"`) {
			t.Errorf("answered %d %s", a.StatusCode, a.body)
		}
	})
}

func TestAGuestsChargesAreListedNewestFirst(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.wants(201, w.pay("g/7", fmt.Sprintf("r-%d", i), 500, good)) // a subject that a path must escape
	}
	bearer := w.issuer.Mint(map[string]any{"aud": "payments", "sub": "g/7", "scope": hotel.ScopeChargesRead})
	a := w.wants(200, w.send(bearer, http.MethodGet, "/v1/guests/g%2F7/charges", "", ""))
	if first, last := strings.Index(a.body, "r-2"), strings.Index(a.body, "r-0"); first < 0 || first > last {
		t.Errorf("listed %s", a.body)
	}
}
