package sandbox

import (
	"strings"
	"testing"
)

func TestTheOldestMailGoesFirst(t *testing.T) {
	b := &mailbox{}
	for range maxKept + 1 {
		b.add(&message{To: []string{"g@guest.test"}})
	}
	if all := b.list(""); len(all) != maxKept || all[0].ID != maxKept+1 || all[maxKept-1].ID != 2 {
		t.Errorf("%d kept, from %d to %d", len(all), all[0].ID, all[len(all)-1].ID)
	}
	if b.get(1) != nil || b.get(2) == nil || b.get(maxKept+2) != nil {
		t.Error("get does not tell what is kept from what is not")
	}
	b.empty()
	if len(b.list("")) != 0 || b.get(2) != nil {
		t.Error("something is left")
	}
	if b.add(&message{}); b.list("")[0].ID != maxKept+2 {
		t.Error("an id was given twice")
	}
}

func TestLargeMailMakesRoomToo(t *testing.T) {
	b := &mailbox{}
	large := strings.Repeat("x", 1<<20)
	for range 70 {
		b.add(&message{Text: large})
	}
	if n := len(b.list("")); n != 63 || b.bytes > maxKeptBytes {
		t.Errorf("%d mails of a mebibyte are kept, %d bytes", n, b.bytes)
	}
	b.empty()
	if b.bytes != 0 {
		t.Errorf("%d bytes are left", b.bytes)
	}
}
