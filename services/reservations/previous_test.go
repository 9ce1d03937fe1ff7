package reservations_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/store"
	"portcullis/services/reservations"
)

// previous is the contract that clients out there were written for.
func previous(t *testing.T) []byte {
	t.Helper()
	document, err := os.ReadFile("testdata/openapi-1.0.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// client10 makes the world's client one of contract 1.0: what it is answered is
// held to that.
func client10(t *testing.T, w *world) {
	t.Helper()
	agreed, err := contract.Parse(previous(t))
	if err != nil {
		t.Fatal(err)
	}
	w.client = &http.Client{Transport: agreed.Transport(t, w.plain.Transport)}
}

// What a client of 1.0 sends and is answered, to the letter but for what the
// service makes up: ids, and what 1.1 has added.
func TestAClientOfContract10GetsWhatItGotBefore(t *testing.T) {
	w := newWorld(t)
	client10(t, w)
	booked := w.as("g-7", http.MethodPost, "/v1/reservations", lastRoom)
	var r hotel.Reservation
	booked.Into(t, &r)
	path := "/v1/reservations/" + r.ID
	const as10 = `{"id":%q,"hotel":"h-1","guest":"g-7","from":"2027-01-10","to":"2027-01-12","guests":2,` +
		`"note":"select a room from the top floor","state":%q,"total":{"amount":20000,"currency":"EUR"},"created":"2027-01-01T12:00:00Z"%s}`
	same := func(what string, got []byte, want string) {
		t.Helper()
		if only(t, got) != only(t, []byte(want)) {
			t.Errorf("%s: %s\nwant %s", what, only(t, got), only(t, []byte(want)))
		}
	}
	confirmed := fmt.Sprintf(as10, r.ID, "confirmed", "")
	if booked.StatusCode != http.StatusCreated || booked.Header.Get("Location") != path {
		t.Errorf("status %d, Location %q", booked.StatusCode, booked.Header.Get("Location"))
	}
	same("booked", booked.Body, confirmed)
	same("shown", w.as("g-7", http.MethodGet, path, "").Body, confirmed)
	w.finish()
	same("shown with its receipt", w.as("g-7", http.MethodGet, path, "").Body, confirmed)
	if a := w.as("g-8", http.MethodPost, "/v1/reservations", lastRoom); a.StatusCode != http.StatusConflict {
		t.Errorf("a second guest: %d", a.StatusCode)
	}
	same("a quote", w.as("g-7", http.MethodPost, "/v1/quotes", oneOf3).Body,
		`{"hotel":"h-2","guests":2,"nights":2,"from":"2027-01-10","to":"2027-01-12","price":{"amount":10000,"currency":"EUR"},"total":{"amount":20000,"currency":"EUR"},"free":3}`)
	if a := w.as("g-7", http.MethodDelete, path, ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("cancelling: %d", a.StatusCode)
	}
	w.finish()
	cancelled := fmt.Sprintf(as10, r.ID, "cancelled", `,"cancelled":"2027-01-01T12:00:00Z"`)
	shown := w.as("g-7", http.MethodGet, path, "").Body
	shown = []byte(strings.Replace(string(shown), w.cancelledAt(shown), "2027-01-01T12:00:00Z", 1))
	same("cancelled", shown, cancelled)
	// Nothing is asked of payments for a client that has never heard of it.
	for _, call := range w.outside.calls {
		if strings.HasPrefix(call, "payments") {
			t.Error(call)
		}
	}
	// What such a client does not understand may still stand in its list.
	w.client = &http.Client{Transport: w.plain.Transport}
	w.as("g-7", http.MethodPost, "/v1/reservations", paying("h-1", noMoney))
	client10(t, w)
	if list := w.as("g-7", http.MethodGet, "/v1/guests/g-7/reservations", ""); list.StatusCode != http.StatusOK {
		t.Errorf("the list: %d", list.StatusCode)
	}
}

func (w *world) cancelledAt(body []byte) string {
	var r struct {
		Cancelled string `json:"cancelled"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		w.t.Fatal(err)
	}
	return r.Cancelled
}

// only is an answer without what contract 1.1 has added, in the order of names.
func only(t *testing.T, body []byte) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, added := range []string{"hotel_name", "city", "partner", "name", "payment", "reason", "receipt"} {
		delete(all, added)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The contract only grows: all that 1.0 says is said by the present one, but for
// texts for people. What was added to a request is never required.
func TestAllOfContract10Holds(t *testing.T) {
	before, now := document(t, previous(t)), document(t, reservations.Contract())
	if now["info"].(map[string]any)["version"] == before["info"].(map[string]any)["version"] {
		t.Error("two contracts have one version")
	}
	delete(before, "info")
	for _, difference := range lost("", before, now) {
		t.Error(difference)
	}
	t.Run("and what it does not hold is noticed", func(t *testing.T) {
		for _, change := range [][2]string{
			{"required: [hotel, from, to, guests]", "required: [hotel, from, to, guests, name]"},
			{"maxLength: 500", "maxLength: 400"},
			{"'409':", "'410':"},
			{"required: false", "required: true"},
			{"/v1/quotes", "/v2/quotes"},
			{"        note: {type: string", "        notes: {type: string"},
		} {
			changed := strings.ReplaceAll(string(reservations.Contract()), change[0], change[1])
			if len(lost("", before, document(t, []byte(changed)))) == 0 {
				t.Errorf("%q for %q is not noticed", change[1], change[0])
			}
		}
	})
}

// document is a contract as data.
func document(t *testing.T, text []byte) (all map[string]any) {
	t.Helper()
	parsed, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := parsed.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// lost lists what before says and now does not.
func lost(at string, before, now any) (all []string) {
	switch b := before.(type) {
	case map[string]any:
		n, _ := now.(map[string]any)
		for name, value := range b {
			if name == "description" || name == "summary" {
				continue
			}
			all = append(all, lost(at+"/"+name, value, n[name])...)
		}
		// A parameter that was not there before must not be needed now.
		if list, ok := n["parameters"].([]any); ok {
			old, _ := b["parameters"].([]any)
			for _, p := range list {
				parameter := p.(map[string]any)
				known := slices.ContainsFunc(old, func(o any) bool { return o.(map[string]any)["name"] == parameter["name"] })
				if parameter["required"] == true && !known {
					all = append(all, fmt.Sprintf("%s: the parameter %v is new and required", at, parameter["name"]))
				}
			}
		}
	case []any:
		n, _ := now.([]any)
		if !strings.HasSuffix(at, "/parameters") {
			if !reflect.DeepEqual(b, now) {
				all = append(all, fmt.Sprintf("%s was %v and is %v", at, before, now))
			}
			break
		}
		for _, value := range b {
			if !slices.ContainsFunc(n, func(other any) bool { return len(lost("", value, other)) == 0 }) {
				all = append(all, fmt.Sprintf("%s has lost %v", at, value))
			}
		}
	default:
		if !reflect.DeepEqual(before, now) {
			all = append(all, fmt.Sprintf("%s was %v and is %v", at, before, now))
		}
	}
	return all
}

func TestADatabaseOfTheReleasedVersionIsTakenOver(t *testing.T) {
	w := newWorld(t)
	w.service.Kill()
	w.path += ".released"
	old, err := store.Open(t.Context(), w.path, reservations.Released())
	if err != nil {
		t.Fatal(err)
	}
	err = old.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO reservations VALUES
			(1, 'r-1', 'g-7', 'h-1', '2027-01-10', '2027-01-12', 2, 'quiet', 'confirmed', 20000, 'EUR', 1767225600000, NULL),
			(7, 'r-7', 'g-7', 'h-2', '2027-01-10', '2027-01-11', 1, '', 'cancelled', 10000, 'EUR', 1767225600000, 1767225600001);
			INSERT INTO nights VALUES ('h-1', '2027-01-10', 1), ('h-1', '2027-01-11', 1);`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	all := w.all("g-7")
	if len(all) != 2 || all[1].ID != "r-1" || all[1].State != hotel.Confirmed || all[1].Note != "quiet" || all[0].Cancelled == nil ||
		all[1].Payment.Method != hotel.AtHotel || w.free("h-1", 1) != 0 {
		t.Errorf("%+v, %d rooms free", all, w.free("h-1", 1))
	}
	if a := w.as("g-8", http.MethodPost, "/v1/reservations", lastRoom); a.StatusCode != http.StatusConflict {
		t.Errorf("its room was sold again: %d", a.StatusCode)
	}
	w.finish() // nobody is told of what was booked long ago
	if len(w.outside.calls) != 0 {
		t.Errorf("%v", w.outside.calls)
	}
	if a := w.as("g-7", http.MethodDelete, "/v1/reservations/r-1", ""); a.StatusCode != http.StatusNoContent || w.free("h-1", 1) != 1 {
		t.Errorf("cancelling: %d, %d rooms free", a.StatusCode, w.free("h-1", 1))
	}
	if r := w.book("g-8", lastRoom); w.all("g-8")[0].ID != r.ID || w.free("h-1", 1) != 0 {
		t.Error("the room that became free cannot be booked")
	}
}
