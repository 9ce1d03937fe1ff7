package payments_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"portcullis/services/hotel"
)

// files is all that the service keeps on disk, its write-ahead log included.
func (w *world) files() []byte {
	w.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(w.path + suffix)
		if err != nil && !os.IsNotExist(err) {
			w.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func TestACardIsKeptNowhere(t *testing.T) {
	const mistyped, late = "4242424242424241", "5555555555554444"
	w := newWorld(t)
	said := ""
	note := func(a reply) { said += a.body }
	note(w.pay("g-7", "r-1", 500, good))
	note(w.pay("g-7", "r-2", 500, declined))
	note(w.pay("g-7", "r-3", 500, mistyped))
	// The number where it does not belong, as a client with a fault would send it.
	for _, wrong := range []string{
		strings.Replace(body("r-4", 500, good), "500", good, 1),
		strings.Replace(body("r-4", 500, good), "500", good+"."+good, 1),
		strings.Replace(body("r-4", 500, good), `"reservation"`, `"`+good+`":1,"reservation"`, 1),
		strings.Replace(body("r-4", 500, good), `"`+good+`"`, good, 1),
		strings.Replace(body("r-4", 500, good), `"EUR"`, `"`+good+`"`, 1),
		strings.Replace(body("r-4", 500, good), `"g@guest.test"`, `"`+good+`"`, 1),
		strings.Replace(body("r-4", 500, good), `"12/40"`, `"`+good+`"`, 1),
		strings.Replace(body("r-4", 500, good), `"123"`, `"`+good+`"`, 1),
	} {
		note(w.post("g-7", "r-4", wrong))
	}
	for i, mood := range []string{`{"status":503}`, `{"cut":true}`, `{"body":"nonsense"}`, `{"status":400,"body":"{\"error\":\"4242424242424242\",\"status\":\"4242424242424242\"}"}`} {
		w.tell(mood)
		note(w.pay("g-7", fmt.Sprintf("r-1%d", i), 500, good))
		note(w.pay("g-7", "r-6", 500, late))
		w.behave()
	}
	w.bank.CloseClientConnections()
	note(w.void("r-1"))
	w.balanced()
	live := w.files()
	w.stop()
	for where, text := range map[string][]byte{"files": live, "files after the end": w.files(), "log": []byte(w.log.String()), "answers": []byte(said)} {
		for _, number := range []string{good, declined, mistyped, late} {
			if bytes.Contains(text, []byte(number)) {
				t.Errorf("the %s hold the card %s", where, number)
			}
			if bytes.Contains(text, []byte(number[:12])) {
				t.Errorf("the %s hold most of the card %s", where, number)
			}
		}
	}
	if !bytes.Contains(live, []byte("r-1")) || !strings.Contains(w.log.String(), "/v1/charges") {
		t.Error("this test looks in the wrong place")
	}
}

func TestAGuestIsExportedAndForgotten(t *testing.T) {
	const guest, address = "g-unmistakable", "unmistakable@guest.test"
	w := newWorld(t)
	for _, id := range []string{"r-1", "r-2"} {
		w.wants(201, w.post(guest, id, strings.Replace(body(id, 500, good), "g@guest.test", address, 1)))
	}
	w.wants(201, w.pay("g-9", "r-3", 700, good))
	w.eventually("the mails came", func() bool { return len(w.mails(address)) == 2 })
	told := w.wants(200, w.own("users", hotel.ScopeGuestExport, http.MethodGet, "/v1/guests/"+guest+"/data"))
	for _, part := range []string{"r-1", "r-2", guest, address, "4242"} {
		if !strings.Contains(told.body, part) {
			t.Errorf("the export lacks %q: %s", part, told.body)
		}
	}
	if strings.Contains(told.body, "r-3") {
		t.Errorf("the export holds another's: %s", told.body)
	}
	w.tell(`{"status":503}`)
	w.wants(200, w.refund("r-2")) // on its way back while the guest goes
	for range 2 {
		w.wants(204, w.own("users", hotel.ScopeGuestErase, http.MethodDelete, "/v1/guests/"+guest+"/data"))
	}
	for _, part := range []string{guest, address} {
		if bytes.Contains(w.files(), []byte(part)) {
			t.Errorf("the files still hold %q", part)
		}
	}
	if c := w.get("r-1").charge(t); c.Guest != "" || c.Last4 != "" || c.Amount.Amount != 500 || c.Status != hotel.ChargeApproved {
		t.Errorf("the charge is %+v", c)
	}
	if c := w.get("r-3").charge(t); c.Guest != "g-9" {
		t.Errorf("another's charge is %+v", c)
	}
	if again := w.wants(200, w.own("users", hotel.ScopeGuestExport, http.MethodGet, "/v1/guests/"+guest+"/data")); again.body != "{\"charges\":[]}\n" {
		t.Errorf("afterwards the export is %s", again.body)
	}
	w.behave()
	w.eventually("the refund went through", func() bool { return w.books().Balance["EUR"] == 1200 })
	w.balanced()
	if mails := w.mails(address); len(mails) != 2 {
		t.Errorf("who was forgotten got mails: %q", mails)
	}
	// The same person may come again, as somebody new.
	w.wants(409, w.pay(guest, "r-1", 500, good))
	w.wants(201, w.pay(guest, "r-4", 500, good))
	w.balanced()
}
