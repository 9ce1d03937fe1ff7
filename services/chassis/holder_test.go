package chassis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:20FB 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
`

func TestOnlyTheListenerOfAPortHoldsIt(t *testing.T) {
	got := map[string]bool{}
	listening(strings.NewReader(table), 8443, got)
	if diff := cmp.Diff(map[string]bool{"socket:[4711]": true}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzListening(f *testing.F) {
	f.Add(table, 8443)
	f.Add("0: :: : 0A", 0)
	f.Fuzz(func(t *testing.T, text string, port int) {
		got := map[string]bool{}
		listening(strings.NewReader(text), port, got)
		if len(got) > 0 && (port < 0 || port > 65535) {
			t.Errorf("port %d is held by %v", port, got)
		}
	})
}
