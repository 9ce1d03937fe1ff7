package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// nearestShown bounds how many routes are named to who asked for none.
const nearestShown = 3

// nearest names the routes that came closest to a request that none took, all of
// them as close, and what kept each from taking it.
func nearest(tx *Transaction) []Reason {
	type near struct {
		route  *Route
		far    int
		misses []Reason
	}
	var all []near
	for _, r := range tx.Snapshot.Routes {
		n := near{route: r}
		n.far, n.misses = distance(r, tx)
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.far, b.far) })
	var reasons []Reason
	for _, n := range all[:min(len(all), nearestShown)] {
		if len(reasons) > 0 && (n.far > all[0].far || n.far > tooFar) {
			break
		}
		reasons = append(reasons, Reason{
			Text: fmt.Sprintf("route %s takes %s %s", n.route.Name, strings.Join(n.route.Methods, ","), n.route.Pattern), State: Fails, Place: n.route.Place, Under: n.misses,
		})
	}
	return reasons
}

// tooFar is the distance of a route with nothing in common; only when all are
// as far is one of them named.
const tooFar = 8

// distance tells how much of a request a route would have to take otherwise.
func distance(r *Route, tx *Transaction) (far int, misses []Reason) {
	if method := tx.Request.Method; !slices.Contains(r.Methods, method) && (method != "HEAD" || !slices.Contains(r.Methods, "GET")) {
		far++
		misses = append(misses, Reason{Text: "method is " + strings.Join(r.Methods, " or "), State: Fails, Value: method})
	}
	if len(r.Hosts) > 0 && !slices.Contains(r.Hosts, tx.Host) {
		far++
		misses = append(misses, Reason{Text: "host is " + strings.Join(r.Hosts, " or "), State: Fails, Value: tx.Host})
	}
	if off, why := pathDistance(r.Pattern, tx.Path); off > 0 {
		far += off
		misses = append(misses, Reason{Text: "path is " + r.Pattern, State: Fails, Value: why})
	}
	return far, misses
}

// pathDistance compares a path with a pattern segment by segment: two for each
// that differs, one where only its spelling does, two for each too many or too
// few, and more when not even the first is the same.
func pathDistance(pattern, path string) (off int, why string) {
	want, got := strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:]
	for i, w := range want {
		if w == "*" {
			return off, why
		}
		if i >= len(got) {
			off += 2
			why = cmp.Or(why, fmt.Sprintf("%q is missing after %s", w, path))
			continue
		}
		g := got[i]
		switch {
		case strings.HasPrefix(w, "{") && g != "", g == w:
			continue
		case strings.EqualFold(g, w), strings.TrimSuffix(g, "s") == strings.TrimSuffix(w, "s"):
			off++
		default:
			off += 2
			if i == 0 {
				off += tooFar
			}
		}
		why = cmp.Or(why, fmt.Sprintf("%q is not %q", g, w))
	}
	if more := len(got) - len(want); more > 0 {
		off += 2 * more
		why = cmp.Or(why, fmt.Sprintf("%q is too much", "/"+strings.Join(got[len(want):], "/")))
	}
	return off, why
}
