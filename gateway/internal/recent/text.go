package recent

import (
	"encoding/binary"
	"net/netip"
)

// Bounds on one request, in bytes and entries. Names of a policy are shorter
// than shortMost; a path may be longer than longMost, and is cut.
const (
	shortMost  = 256
	longMost   = 1024
	recordMost = 4096
	listMost   = 16
)

// The first byte of a record.
const (
	whole byte = iota
	cut
)

// writer appends to the text of a record.
type writer struct{ text []byte }

func (w *writer) number(n int64) { w.text = binary.AppendVarint(w.text, n) }

func (w *writer) flag(f bool) {
	if f {
		w.number(1)
	} else {
		w.number(0)
	}
}

func (w *writer) short(s string) { w.string(s, shortMost) }
func (w *writer) long(s string)  { w.string(s, longMost) }

func (w *writer) string(s string, most int) {
	if room := max(recordMost-len(w.text), 0); room < most {
		most = room
	}
	if len(s) > most {
		s = s[:most]
		w.text[0] = cut
	}
	w.number(int64(len(s)))
	w.text = append(w.text, s...)
}

// most is how many of n entries are kept.
func (w *writer) most(n int) int {
	if n > listMost {
		w.text[0] = cut
	}
	return min(n, listMost)
}

func (w *writer) source(a netip.Addr) {
	switch {
	case !a.IsValid():
		w.number(0)
	case a.Is4():
		w.number(4)
		b := a.As4()
		w.text = append(w.text, b[:]...)
	default:
		w.number(16)
		b := a.As16()
		w.text = append(w.text, b[:]...)
	}
}

// reader reads what a writer has written.
type reader struct{ text []byte }

func (r *reader) number() int64 {
	n, size := binary.Varint(r.text)
	r.text = r.text[size:]
	return n
}

func (r *reader) flag() bool { return r.number() != 0 }

func (r *reader) string() string {
	n := r.number()
	s := string(r.text[:n])
	r.text = r.text[n:]
	return s
}

func (r *reader) source() netip.Addr {
	n := r.number()
	a, _ := netip.AddrFromSlice(r.text[:n]) // of no length for none
	r.text = r.text[n:]
	return a
}
