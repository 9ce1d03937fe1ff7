//go:build nightly

package chassis

import (
	"testing"

	"golang.org/x/net/http2"
)

// TestAFloodOfSettingsThatAreNeverReadCostsNoMemory: net/http acknowledges any number that came
// meanwhile with one frame, and hangs up when nothing is read for 15 s.
func TestAFloodOfSettingsThatAreNeverReadCostsNoMemory(t *testing.T) {
	f := newFlooded(t)
	f.withstand(false, 64<<20, nil, func(framer *http2.Framer, i int) { _ = framer.WriteSettings() })
}

func TestAFloodOfPingsThatAreNeverReadEndsTheConnection(t *testing.T) {
	f := newFlooded(t)
	if !f.withstand(false, 64<<20, nil, func(framer *http2.Framer, i int) { _ = framer.WritePing(false, [8]byte{}) }) {
		t.Error("the connection is still served")
	}
}
