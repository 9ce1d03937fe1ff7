package reporting_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/internal/wiretest"
	"portcullis/services/reporting"
)

func TestADocumentIsSetOnce(t *testing.T) {
	w := newWorld(t)
	ask := receipt(t, "receipt-r-1")
	first := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, ask))
	if first.StatusCode != http.StatusCreated || first.Header.Get("Location") != "/v1/documents/receipt-r-1" {
		t.Fatalf("status %d, Location %q: %s", first.StatusCode, first.Header.Get("Location"), first.Body)
	}
	again := w.as(own("reservations"), http.MethodPost, "/v1/documents", " "+encode(t, ask)+"\n")
	if again.StatusCode != http.StatusOK || !bytes.Equal(again.Body, first.Body) {
		t.Errorf("again: status %d: %s, first %s", again.StatusCode, again.Body, first.Body)
	}
	var made hotel.Document
	first.Into(t, &made)
	pdf := w.as(guest("g-7"), http.MethodGet, first.Header.Get("Location"), "")
	sum := sha256.Sum256(pdf.Body)
	if pdf.StatusCode != http.StatusOK || pdf.Header.Get("Content-Type") != "application/pdf" || hex.EncodeToString(sum[:]) != made.SHA256 {
		t.Errorf("the PDF: status %d, %s, SHA-256 %x, want %s", pdf.StatusCode, pdf.Header.Get("Content-Type"), sum, made.SHA256)
	}
	if got := pdf.Header.Get("Content-Disposition"); got != `inline; filename="receipt-r-1.pdf"` {
		t.Errorf("Content-Disposition %s", got)
	}
	if head := w.as(guest("g-7"), http.MethodHead, first.Header.Get("Location"), ""); head.ContentLength != int64(len(pdf.Body)) || len(head.Body) > 0 {
		t.Errorf("HEAD: %d bytes announced, %d sent", head.ContentLength, len(head.Body))
	}
	ask.Reservation.Total.Amount++
	if a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, ask)); a.StatusCode != http.StatusConflict {
		t.Errorf("other content: status %d, want 409", a.StatusCode)
	}
}

func TestManyAskForOneDocumentAtOnce(t *testing.T) {
	w := newWorld(t)
	w.make(receipt(t, "warm")) // the issuer's keys are there
	var created, there atomic.Int64
	bodies := make([]string, 20)
	var callers sync.WaitGroup
	for i := range bodies {
		callers.Go(func() {
			a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, receipt(t, "receipt-r-1")))
			switch a.StatusCode {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusOK:
				there.Add(1)
			}
			bodies[i] = string(a.Body)
		})
	}
	callers.Wait()
	if created.Load() != 1 || there.Load() != int64(len(bodies)-1) {
		t.Errorf("%d were told it is new and %d that it was there", created.Load(), there.Load())
	}
	for _, b := range bodies {
		if b != bodies[0] {
			t.Errorf("one was told %s, another %s", b, bodies[0])
		}
	}
}

func TestWhoMayReadADocument(t *testing.T) {
	w := newWorld(t)
	w.make(receipt(t, "receipt-r-1"))
	exchanged := own("users")
	exchanged["sub"], exchanged["act"] = "g-9", map[string]any{"sub": "users"}
	for name, c := range map[string]struct {
		claims map[string]any
		status int
	}{
		"its guest":                                {guest("g-7"), http.StatusOK},
		"users, for itself":                        {own("users"), http.StatusOK},
		"booking, which asks for guests alone":     {own("booking"), http.StatusNotFound},
		"another guest":                            {guest("g-9"), http.StatusNotFound},
		"users, for another guest":                 {exchanged, http.StatusNotFound},
		"reservations, which only writes":          {own("reservations"), http.StatusNotFound},
		"a guest who is called users":              {guest("users"), http.StatusNotFound},
		"a subject users of a client of another's": {map[string]any{"sub": "users", "client_id": "gateway", "scope": every}, http.StatusNotFound},
		"users in whose name somebody else acts":   {map[string]any{"sub": "users", "client_id": "users", "act": map[string]any{"sub": "x"}, "scope": every}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.as(c.claims, http.MethodGet, "/v1/documents/receipt-r-1", ""); a.StatusCode != c.status {
				t.Errorf("status %d, want %d", a.StatusCode, c.status)
			}
			none := w.as(c.claims, http.MethodGet, "/v1/documents/receipt-r-2", "")
			if none.StatusCode != http.StatusNotFound {
				t.Errorf("a document that does not exist: status %d", none.StatusCode)
			}
		})
	}
}

func TestListing(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.make(receipt(t, fmt.Sprintf("receipt-%d", i)))
	}
	var ids []string
	path := "/v1/guests/g-7/documents?limit=2"
	for pages := 0; path != ""; pages++ {
		var page hotel.Documents
		w.as(guest("g-7"), http.MethodGet, path, "").Into(t, &page)
		for _, d := range page.Documents {
			ids = append(ids, d.ID)
		}
		if path = ""; page.Next != "" {
			path = "/v1/guests/g-7/documents?limit=2&after=" + page.Next
		}
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
	}
	if got := strings.Join(ids, " "); got != "receipt-4 receipt-3 receipt-2 receipt-1 receipt-0" {
		t.Errorf("listed %s", got)
	}
	if a := w.as(guest("g-9"), http.MethodGet, "/v1/guests/g-9/documents", ""); string(a.Body) != `{"documents":[]}`+"\n" {
		t.Errorf("nothing is listed as %s", a.Body)
	}
	if a := w.as(guest("g-9"), http.MethodGet, "/v1/guests/g-7/documents", ""); a.StatusCode != http.StatusForbidden {
		t.Errorf("another's list: status %d", a.StatusCode)
	}
	if a := w.as(own("users"), http.MethodGet, "/v1/guests/g-7/documents", ""); a.StatusCode != http.StatusOK {
		t.Errorf("users gets %d", a.StatusCode)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "after=nobody", "after=%2f", "limit=1&limit=2"} {
		if a := w.as(guest("g-7"), http.MethodGet, "/v1/guests/g-7/documents?"+query, ""); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", query, a.StatusCode)
		}
	}
}

func TestAProofIsForWhoeverHoldsTheCode(t *testing.T) {
	w := newWorld(t)
	made, other := w.make(receipt(t, "receipt-r-1")), w.make(receipt(t, "receipt-r-2"))
	if made.Proof == other.Proof {
		t.Fatal("two documents have one code")
	}
	for _, code := range []string{made.Proof, strings.ToUpper(made.Proof)} {
		a := w.as(guest("g-9"), http.MethodGet, "/v1/proofs/receipt-r-1/"+code, "")
		if a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.Body)
		}
		var proof hotel.Proof
		a.Into(t, &proof)
		if proof.Document != "receipt-r-1" || proof.Kind != hotel.Receipt || proof.Date.String() != "2027-01-02" || proof.Hotel != "The Lighthouse" ||
			proof.Stay == nil || proof.Stay.Nights() != 2 || proof.Total == nil || *proof.Total != (hotel.Money{Amount: 37800, Currency: "EUR"}) || proof.SHA256 != made.SHA256 {
			t.Errorf("proved %s", a.Body)
		}
		if strings.Contains(string(a.Body), "Aino") || strings.Contains(string(a.Body), "g-7") {
			t.Errorf("the proof names the guest: %s", a.Body)
		}
	}
	monthly := w.make(statement(t, "statement-1"))
	a := w.as(guest("g-9"), http.MethodGet, "/v1/proofs/statement-1/"+monthly.Proof, "")
	if a.StatusCode != http.StatusOK || strings.Contains(string(a.Body), "stay") || strings.Contains(string(a.Body), "total") {
		t.Errorf("a statement: status %d: %s", a.StatusCode, a.Body)
	}
}

func TestNobodyLearnsWhichDocumentsThereAre(t *testing.T) {
	w := newWorld(t)
	made := w.make(receipt(t, "receipt-r-1"))
	wrong := "0" + made.Proof[1:]
	if wrong == made.Proof {
		wrong = "1" + made.Proof[1:]
	}
	said := func(path string) string {
		a := w.as(guest("g-9"), http.MethodGet, path, "")
		if a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, a.StatusCode)
		}
		body, _, _ := strings.Cut(string(a.Body), `"request_id"`)
		return body
	}
	want := said("/v1/proofs/no-such-document/" + wrong)
	for _, path := range []string{
		"/v1/proofs/receipt-r-1/" + wrong,
		"/v1/proofs/receipt-r-1/" + made.Proof[:23],
		"/v1/proofs/receipt-r-1/" + made.Proof + "0",
		"/v1/proofs/receipt-r-1/x",
		"/v1/proofs/receipt-r-2/" + made.Proof,
		"/v1/proofs/RECEIPT-r-1/" + made.Proof,
		"/v1/proofs/%00/" + made.Proof,
	} {
		if got := said(path); got != want {
			t.Errorf("%s says %s, a document that does not exist %s", path, got, want)
		}
	}
}

func TestExportAndErasure(t *testing.T) {
	w := newWorld(t)
	made := w.make(receipt(t, "receipt-r-1"))
	w.make(statement(t, "statement-1"))
	others := receipt(t, "receipt-r-9")
	others.Guest, others.Reservation.Guest, others.Reservation.Name, others.Reservation.Note = "g-9", "g-9", "Somebody Else", ""
	w.make(others)

	var held struct {
		Documents []struct {
			hotel.Document
			Content hotel.DocumentRequest `json:"content"`
		} `json:"documents"`
	}
	w.as(own("users"), http.MethodGet, "/v1/guests/g-7/data", "").Into(t, &held)
	if len(held.Documents) != 2 || held.Documents[0].ID != "receipt-r-1" || held.Documents[0].Content.Reservation.Name != "Aino Virtanen" ||
		held.Documents[1].Content.Lines[1].Text != "Refund: Гостиница «Нева»" {
		t.Fatalf("held %+v", held)
	}
	for range 2 { // once more changes nothing
		if a := w.as(own("users"), http.MethodDelete, "/v1/guests/g-7/data", ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("status %d: %s", a.StatusCode, a.Body)
		}
	}
	for _, claims := range []map[string]any{guest("g-7"), own("users")} {
		if a := w.as(claims, http.MethodGet, "/v1/documents/receipt-r-1", ""); a.StatusCode != http.StatusNotFound {
			t.Errorf("the PDF is still there: %d", a.StatusCode)
		}
	}
	if a := w.as(own("users"), http.MethodGet, "/v1/guests/g-7/data", ""); string(a.Body) != `{"documents":[]}`+"\n" {
		t.Errorf("still held: %s", a.Body)
	}
	if a := w.as(guest("g-1"), http.MethodGet, "/v1/proofs/receipt-r-1/"+made.Proof, ""); a.StatusCode != http.StatusOK || !strings.Contains(string(a.Body), made.SHA256) {
		t.Errorf("the proof went too: %d %s", a.StatusCode, a.Body)
	}
	for name, late := range map[string]hotel.DocumentRequest{"the same": receipt(t, "receipt-r-1"), "a new one": receipt(t, "receipt-r-5")} {
		if a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, late)); a.StatusCode != http.StatusConflict {
			t.Errorf("%s, late: status %d", name, a.StatusCode)
		}
	}
	if a := w.as(guest("g-9"), http.MethodGet, "/v1/documents/receipt-r-9", ""); a.StatusCode != http.StatusOK {
		t.Errorf("another guest's document: status %d", a.StatusCode)
	}
	// Nothing is left in the files either, while the service runs on.
	files, err := filepath.Glob(w.path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []byte
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
	}
	if !bytes.Contains(all, []byte("Somebody Else")) {
		t.Error("this test looks in the wrong place")
	}
	for _, word := range []string{"Aino", "quiet room", "Παπαδοπούλου", "g-7"} {
		if bytes.Contains(all, []byte(word)) {
			t.Errorf("%q is still in the file", word)
		}
	}
}

func TestAGuestIsNamedAsTheTokenNamesThem(t *testing.T) {
	w := newWorld(t)
	ask := receipt(t, "receipt-r-1")
	ask.Guest, ask.Reservation.Guest = "auth0|ä/7", "auth0|ä/7"
	w.make(ask)
	a := w.as(guest("auth0|ä/7"), http.MethodGet, "/v1/guests/auth0%7C%C3%A4%2F7/documents", "")
	if a.StatusCode != http.StatusOK || !strings.Contains(string(a.Body), "receipt-r-1") {
		t.Errorf("status %d: %s", a.StatusCode, a.Body)
	}
}

func TestTooManyDocumentsAtOnce(t *testing.T) {
	issuerWorld := newWorld(t)
	guard, err := token.NewGuard(token.GuardConfig{Verifier: issuerWorld.issuer.VerifierFor("reporting"), Realm: "reporting"})
	if err != nil {
		t.Fatal(err)
	}
	busy, err := reporting.New(t.Context(), reporting.Config{
		Path: filepath.Join(t.TempDir(), "busy.db"), Verify: verifyAt, Guard: guard, Log: slog.New(slog.DiscardHandler), Renders: 1, Wait: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	w := *issuerWorld
	w.serve(busy)
	known := w.make(receipt(t, "known"))
	leave := busy.Occupy()
	a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, receipt(t, "new")))
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
	}
	// What needs no processor goes on.
	if a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, receipt(t, "known"))); a.StatusCode != http.StatusOK {
		t.Errorf("one that is there: status %d", a.StatusCode)
	}
	if a := w.as(guest("g-7"), http.MethodGet, "/v1/documents/"+known.ID, ""); a.StatusCode != http.StatusOK {
		t.Errorf("reading: status %d", a.StatusCode)
	}
	leave()
	w.make(receipt(t, "new"))
}

func TestRefusedRequests(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 501)
	for name, change := range map[string]func(*hotel.DocumentRequest){
		"no id":                      func(r *hotel.DocumentRequest) { r.ID = "" },
		"an id that is a path":       func(r *hotel.DocumentRequest) { r.ID = "../x" },
		"another kind":               func(r *hotel.DocumentRequest) { r.Kind = "invoice" },
		"no guest":                   func(r *hotel.DocumentRequest) { r.Guest = "" },
		"a guest without end":        func(r *hotel.DocumentRequest) { r.Guest = long; r.Reservation.Guest = long },
		"another guest's":            func(r *hotel.DocumentRequest) { r.Reservation.Guest = "g-9" },
		"no date":                    func(r *hotel.DocumentRequest) { r.Date = 0 },
		"a receipt for nothing":      func(r *hotel.DocumentRequest) { r.Reservation = nil },
		"a receipt with lines":       func(r *hotel.DocumentRequest) { r.Lines = statement(t, "x").Lines },
		"a statement of nothing":     func(r *hotel.DocumentRequest) { r.Kind, r.Reservation = hotel.Statement, nil },
		"a statement of a stay":      func(r *hotel.DocumentRequest) { r.Kind, r.Lines = hotel.Statement, statement(t, "x").Lines },
		"a stay that ends before":    func(r *hotel.DocumentRequest) { r.Reservation.To = r.Reservation.From },
		"a stay of a year":           func(r *hotel.DocumentRequest) { r.Reservation.To = r.Reservation.From + 365 },
		"no guests":                  func(r *hotel.DocumentRequest) { r.Reservation.Guests = 0 },
		"a note too long":            func(r *hotel.DocumentRequest) { r.Reservation.Note = long },
		"a name too long":            func(r *hotel.DocumentRequest) { r.Reservation.Name = long },
		"a negative total":           func(r *hotel.DocumentRequest) { r.Reservation.Total.Amount = -1 },
		"more than all money":        func(r *hotel.DocumentRequest) { r.Reservation.Total.Amount = 1 << 62 },
		"no currency":                func(r *hotel.DocumentRequest) { r.Reservation.Total.Currency = "" },
		"a currency in lower case":   func(r *hotel.DocumentRequest) { r.Reservation.Total.Currency = "eur" },
		"a currency that is none":    func(r *hotel.DocumentRequest) { r.Reservation.Total.Currency = "QQQ" },
		"a whole card number":        func(r *hotel.DocumentRequest) { r.Reservation.Payment.Last4 = "4242424242424242" },
		"letters for a card":         func(r *hotel.DocumentRequest) { r.Reservation.Payment.Last4 = "42a2" },
		"no hotel":                   func(r *hotel.DocumentRequest) { r.Reservation.Hotel = "" },
		"a hotel's name without end": func(r *hotel.DocumentRequest) { r.Reservation.HotelName = long },
	} {
		t.Run(name, func(t *testing.T) {
			ask := receipt(t, "receipt-r-1")
			change(&ask)
			if a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, ask)); a.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
			}
		})
	}
	for name, change := range map[string]func(*hotel.DocumentRequest){
		"a line without a text": func(r *hotel.DocumentRequest) { r.Lines[1].Text = "" },
		"a line without a date": func(r *hotel.DocumentRequest) { r.Lines[1].Date = 0 },
		"a line too long":       func(r *hotel.DocumentRequest) { r.Lines[1].Text = long },
		"a line of no currency": func(r *hotel.DocumentRequest) { r.Lines[1].Amount.Currency = "?" },
		"too many lines": func(r *hotel.DocumentRequest) {
			for len(r.Lines) < 501 {
				r.Lines = append(r.Lines, r.Lines[0])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ask := statement(t, "statement-1")
			change(&ask)
			if a := w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, ask)); a.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("status %d: %s", a.StatusCode, a.Body)
			}
		})
	}
	if strings.Contains(w.log.String(), "4242424242424242") {
		t.Error("a card number is in the log")
	}
}

func TestLogsNameNobody(t *testing.T) {
	w := newWorld(t)
	w.make(receipt(t, "receipt-r-1"))
	w.as(guest("g-7"), http.MethodGet, "/v1/documents/receipt-r-1", "")
	w.as(own("users"), http.MethodDelete, "/v1/guests/g-7/data", "")
	w.as(own("reservations"), http.MethodPost, "/v1/documents", encode(t, receipt(t, "receipt-r-2")))
	for _, word := range []string{"Aino", "quiet room"} {
		if strings.Contains(w.log.String(), word) {
			t.Errorf("%q is in the log", word)
		}
	}
}

func TestCodesOutliveTheProcess(t *testing.T) {
	w := newWorld(t)
	made := w.make(receipt(t, "receipt-r-1"))
	before := w.as(guest("g-7"), http.MethodGet, "/v1/documents/receipt-r-1", "")
	if err := w.service.Close(); err != nil {
		t.Fatal(err)
	}
	guard, err := token.NewGuard(token.GuardConfig{Verifier: w.issuer.VerifierFor("reporting"), Realm: "reporting"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := reporting.New(t.Context(), reporting.Config{Path: w.path, Verify: verifyAt, Guard: guard, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	w.serve(again)
	if a := w.as(guest("g-9"), http.MethodGet, "/v1/proofs/receipt-r-1/"+made.Proof, ""); a.StatusCode != http.StatusOK {
		t.Errorf("status %d", a.StatusCode)
	}
	if after := w.as(guest("g-7"), http.MethodGet, "/v1/documents/receipt-r-1", ""); !bytes.Equal(after.Body, before.Body) {
		t.Error("the PDF is another")
	}
}

func TestEveryOperationNeedsItsScopeAndAudience(t *testing.T) {
	w := newWorld(t)
	made := w.make(receipt(t, "receipt-r-1"))
	wiretest.WantsItsScope(t, w.issuer, "reporting", "users", every, []wiretest.Operation{
		{Method: http.MethodPost, Path: "/v1/documents", Body: encode(t, receipt(t, "receipt-r-1")), Scope: hotel.ScopeDocumentsWrite},
		{Method: http.MethodGet, Path: "/v1/documents/receipt-r-1", Scope: hotel.ScopeDocumentsRead},
		{Method: http.MethodGet, Path: "/v1/guests/g-7/documents", Scope: hotel.ScopeDocumentsRead},
		{Method: http.MethodGet, Path: "/v1/proofs/receipt-r-1/" + made.Proof, Scope: hotel.ScopeDocumentsRead},
		{Method: http.MethodGet, Path: "/v1/guests/g-7/data", Scope: hotel.ScopeGuestExport},
		{Method: http.MethodDelete, Path: "/v1/guests/g-7/data", Scope: hotel.ScopeGuestErase},
	}, w.with)
}

func TestTheContractIsWhatIsServed(t *testing.T) {
	contract.Serves(t, reporting.Contract(), newWorld(t).service.Handler())
}

func TestAnAddressThatCannotStandOnADocument(t *testing.T) {
	w := newWorld(t)
	guard, err := token.NewGuard(token.GuardConfig{Verifier: w.issuer.VerifierFor("reporting"), Realm: "reporting"})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"", "http://hotel.test/verify", "https://", "verify", "https://u:p@hotel.test/", "https://hotel.test/?q", "https://hotel.test/#f",
		"https://hotel.test/\u202e", "https://hotel.test/" + strings.Repeat("x", 120),
	} {
		s, err := reporting.New(t.Context(), reporting.Config{
			Path: filepath.Join(t.TempDir(), "x.db"), Verify: address, Guard: guard, Log: slog.New(slog.DiscardHandler),
		})
		if err == nil {
			_ = s.Close()
			t.Errorf("%q was taken", address)
		}
	}
}
