package payments_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// database opens the service's file beside it.
func (w *world) database() *sql.DB {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = db.Close() })
	return db
}

// balanced checks that each posting and the whole sum to zero, that the ledger
// says of every charge what its status says, and that the bank's own books agree.
func (w *world) balanced() {
	w.Helper()
	db := w.database()
	defer func() { _ = db.Close() }()
	w.eventually("nothing is left to be settled", func() bool { return one(w.T, db, "SELECT count(*) FROM charges WHERE task <> ''") == 0 })
	for what, query := range map[string]string{
		"postings that do not sum to zero":                    "SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY posting, currency HAVING sum(amount) <> 0)",
		"currencies that do not sum to zero":                  "SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY currency HAVING sum(amount) <> 0)",
		"guests who owe the hotel":                            "SELECT count(*) FROM (SELECT 1 FROM ledger WHERE account <> 0 GROUP BY account, currency HAVING sum(amount) > 0)",
		"postings to accounts of nobody":                      "SELECT count(*) FROM ledger WHERE account <> 0 AND account NOT IN (SELECT account FROM guests)",
		"charges that the ledger tells otherwise":             "SELECT count(*) FROM charges c WHERE (c.status = 'approved') <> (coalesce((SELECT sum(amount) FROM ledger WHERE account = 0 AND charge = c.id), 0) = c.amount AND c.amount > 0)",
		"charges that are not approved and hold money":        "SELECT count(*) FROM charges c WHERE c.status <> 'approved' AND (SELECT sum(amount) FROM ledger WHERE account = 0 AND charge = c.id) <> 0",
		"refunds without a charge and a return in the ledger": "SELECT count(*) FROM charges c WHERE c.status = 'refunded' AND (SELECT count(*) FROM postings WHERE charge = c.id) <> 2",
		"addresses that no mail needs any more":               "SELECT count(*) FROM charges WHERE receipt_to <> '' AND status <> 'approved'",
	} {
		if n := one(w.T, db, query); n != 0 {
			w.Errorf("there are %s: %d", what, n)
		}
	}
	b := w.books()
	if ours := one(w.T, db, "SELECT coalesce(sum(amount), 0) FROM ledger WHERE account = 0"); ours != b.Balance["EUR"] {
		w.Errorf("the ledger says that the bank holds %d, the bank says %+v", ours, b)
	}
}

func one(t *testing.T, db *sql.DB, query string) (n int64) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestTheLedgerBalancesAfterAnyHistory(t *testing.T) {
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			w := newWorld(t)
			moods := []string{
				`{}`, `{}`, `{"status":503,"times":3}`, `{"cut":true,"times":2}`, `{"twice":true}`, `{"delay":"30ms"}`,
				`{"cut":true,"only":"POST /charges","times":4}`, `{"body":"?","times":2}`,
			}
			var all sync.WaitGroup
			for worker := range uint64(4) {
				random := rand.New(rand.NewPCG(seed, worker))
				all.Go(func() {
					for range 25 {
						id, guest := fmt.Sprintf("r-%d", random.IntN(12)), fmt.Sprintf("g-%d", random.IntN(3))
						var a reply
						switch random.IntN(10) {
						case 0, 1, 2, 3:
							a = w.pay(guest, id, 100*int64(1+random.IntN(2)), []string{good, good, declined}[random.IntN(3)])
						case 4, 5:
							a = w.void(id)
						case 6, 7:
							a = w.refund(id)
						case 8:
							a = w.own("users", "guest:erase", "DELETE", "/v1/guests/"+guest+"/data")
						case 9:
							w.tell(moods[random.IntN(len(moods))])
							continue
						}
						if a.StatusCode >= 500 && a.StatusCode != 503 {
							t.Errorf("answered %d: %s", a.StatusCode, a.body)
						}
					}
				})
			}
			all.Wait()
			w.behave()
			w.balanced()
		})
	}
}

func TestThePostingsAreForGood(t *testing.T) {
	w := newWorld(t)
	w.wants(201, w.pay("g-7", "r-1", 500, good))
	db := w.database()
	for statement, says := range map[string]string{
		"UPDATE postings SET amount = 1": "never changes",
		"DELETE FROM postings":           "never removed",
		"INSERT INTO postings SELECT 9, charge, kind, 1, 0, 1, 'EUR', 0 FROM postings": "UNIQUE",
		"INSERT INTO postings VALUES (9, 'r-1', 'return', 0, 0, 1, 'EUR', 0)":          "CHECK",
	} {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
