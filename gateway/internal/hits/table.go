package hits

import (
	"cmp"
	"container/heap"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Row is what is known of one rule at one part of the requests of a route.
type Row struct {
	Profile string `json:"profile"`
	Mode    string `json:"mode"`
	Rule    int    `json:"rule"`
	Message string `json:"message"`
	// Place is where the rule stands.
	Place  string `json:"place,omitempty"`
	Route  string `json:"route"`
	Target string `json:"target"`
	// Count is in how many requests, Denied how many of these the profile refused,
	// or would have. Clients is how many asked, an estimate from 64 on.
	Count   int `json:"count"`
	Denied  int `json:"denied"`
	Clients int `json:"clients"`
	// Verdict, Value and Bytes are those of the last request; Value is the shape of
	// what stood there, and Bytes its length, -1 where that is not told.
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Verdict string    `json:"verdict"`
	Value   string    `json:"value"`
	Bytes   int       `json:"bytes"`
}

// Bounds on a table: some KiB a row at most.
const (
	// RowsDefault is how many rows a table has that says nothing else.
	RowsDefault = 1000
	rowsMost    = 1 << 20
)

// Config is what a Table needs.
type Config struct {
	// Rows is how many it has at most; default RowsDefault.
	Rows int
}

// Table counts hits by profile, rule, route and target. When it is full, what is
// new takes the place of what was seen least, and its rank: a name that a
// client makes up for each request pushes out others like it, and never what is
// seen often. Its methods may be called from any goroutine.
type Table struct {
	most int
	seed maphash.Seed

	mu   sync.Mutex
	rows map[key]*entry
	rank ranking
	// forgotten counts the rows that gave way.
	forgotten int
}

type key struct {
	profile, mode string
	rule          int
	route, target string
}

type entry struct {
	Row
	clients estimate
	// weight is what the row is ranked by: its count, and the weight of the row
	// whose place it took.
	weight, at int
}

// New returns an empty table.
func New(c Config) (*Table, error) {
	if c.Rows == 0 {
		c.Rows = RowsDefault
	}
	if c.Rows < 1 || c.Rows > rowsMost {
		return nil, errors.New("hits: a table has from 1 to 1048576 rows")
	}
	return &Table{most: c.Rows, seed: maphash.MakeSeed(), rows: map[key]*entry{}}, nil
}

// Observe takes in what was found in a request that has ended. It keeps nothing
// of tx.
func (t *Table) Observe(tx *pipeline.Transaction) {
	t.observe(tx, &tx.WAF, false)
	for i := range tx.ShadowWAF {
		t.observe(tx, &tx.ShadowWAF[i], true)
	}
}

func (t *Table) observe(tx *pipeline.Transaction, found *pipeline.Inspection, shadow bool) {
	if len(found.Hits) > 0 {
		t.Add(Of(tx, found, shadow))
	}
	if len(found.Answer.Hits) > 0 {
		answer := found.InAnswer()
		t.Add(Of(tx, &answer, shadow))
	}
}

// Add takes in one finding.
func (t *Table) Add(f Finding) {
	client := maphash.String(t.seed, f.Client)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range f.Hits {
		h := &f.Hits[i]
		for n, at := range h.At {
			if n == 0 || h.At[n-1].Target != at.Target { // they are in order; a request counts once
				t.count(&f, h, at, client)
			}
		}
	}
}

func (t *Table) count(f *Finding, h *pipeline.Hit, at pipeline.HitAt, client uint64) {
	k := key{f.Profile, f.Mode, h.Rule, f.Route, at.Target}
	e, known := t.rows[k]
	if !known {
		e = &entry{Row: Row{
			Profile: f.Profile, Mode: f.Mode, Rule: h.Rule, Message: h.Message, Place: h.Place, Route: f.Route, Target: at.Target, First: f.Time,
		}}
		if len(t.rows) == t.most {
			e.weight = t.forget()
		}
		t.rows[k] = e
		heap.Push(&t.rank, e)
	}
	e.Count++
	e.weight++
	if f.Verdict == pipeline.VerdictDenied || f.Verdict == pipeline.VerdictShadow {
		e.Denied++
	}
	e.Last, e.Verdict, e.Value, e.Bytes = f.Time, f.Verdict, at.Shape, at.Bytes
	e.clients.add(client)
	heap.Fix(&t.rank, e.at)
}

// forget gives up the row of least weight and tells which that was.
func (t *Table) forget() int {
	e := heap.Pop(&t.rank).(*entry)
	delete(t.rows, key{e.Profile, e.Mode, e.Rule, e.Route, e.Target})
	t.forgotten++
	return e.weight
}

// Top are the rows with the highest counts, at most limit, and how many rows
// there were altogether.
func (t *Table) Top(limit int) (rows []Row, all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows = make([]Row, 0, len(t.rows))
	for _, e := range t.rows {
		r := e.Row
		r.Clients = e.clients.count()
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), -a.Last.Compare(b.Last), cmp.Compare(a.Rule, b.Rule), strings.Compare(a.Route, b.Route),
			strings.Compare(a.Target, b.Target), strings.Compare(a.Profile, b.Profile), strings.Compare(a.Mode, b.Mode))
	})
	return slices.Clone(rows[:min(limit, len(rows))]), len(t.rows) + t.forgotten
}

// ranking is a heap of rows, the one of least weight first.
type ranking []*entry

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return r[i].weight < r[j].weight }
func (r ranking) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].at, r[j].at = i, j
}

// Push implements heap.Interface.
func (r *ranking) Push(e any) {
	e.(*entry).at = len(*r)
	*r = append(*r, e.(*entry))
}

// Pop implements heap.Interface.
func (r *ranking) Pop() any {
	last := (*r)[len(*r)-1]
	(*r)[len(*r)-1] = nil
	*r = (*r)[:len(*r)-1]
	return last
}
