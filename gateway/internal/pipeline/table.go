package pipeline

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"
)

// table routes the requests of the hosts that share it.
type table struct {
	mux     *chi.Mux
	byRoute map[routeKey]*Route
	methods []string
}

type routeKey struct{ method, pattern string }

// newTable panics on a pattern chi cannot take: the compiler has validated them.
func newTable(routes []*Route) *table {
	t := &table{mux: chi.NewRouter(), byRoute: make(map[routeKey]*Route, len(routes))}
	unused := http.NotFoundHandler() // chi skips patterns without a handler; only Find is ever called
	for _, r := range routes {
		for _, method := range r.Methods {
			t.mux.Method(method, r.Pattern, unused)
			t.byRoute[routeKey{method, r.Pattern}] = r
			if !slices.Contains(t.methods, method) {
				t.methods = append(t.methods, method)
			}
		}
	}
	return t
}

func (t *table) find(contexts *sync.Pool, method, path string, params Params) (*Route, Params) {
	ctx := contexts.Get().(*chi.Context)
	defer contexts.Put(ctx)
	ctx.Reset()
	pattern := t.mux.Find(ctx, method, path)
	if pattern == "" {
		return nil, params
	}
	for i, key := range ctx.URLParams.Keys {
		if i < len(ctx.URLParams.Values) {
			params = append(params, Param{key, ctx.URLParams.Values[i]})
		}
	}
	return t.byRoute[routeKey{method, pattern}], params
}

// newTables makes the table of the hosts that no route names, and those of the
// others. A host's table holds the routes of every host too, so that one walk
// finds the most specific of both. Hosts with the same routes share a table.
func newTables(routes []*Route) (everywhere *table, byHost map[string]*table) {
	var shared []*Route
	named := map[string][]int{} // by host, which of routes name it
	for i, r := range routes {
		if r.Hosts == nil {
			shared = append(shared, r)
		}
		for _, host := range r.Hosts {
			named[host] = append(named[host], i)
		}
	}
	byHost = make(map[string]*table, len(named))
	made := map[string]*table{}
	for host, own := range named {
		key := listing(own)
		if made[key] == nil {
			all := slices.Clone(shared)
			for _, i := range own {
				all = append(all, routes[i])
			}
			made[key] = newTable(all)
		}
		byHost[host] = made[key]
	}
	return newTable(shared), byHost
}

func listing(numbers []int) string {
	var b strings.Builder
	for _, n := range numbers {
		b.WriteString(strconv.Itoa(n))
		b.WriteByte(' ')
	}
	return b.String()
}
