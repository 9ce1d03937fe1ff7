package listen

import (
	"cmp"
	"context"
	"net/netip"

	"portcullis/services/chassis"
)

// gate bounds how many handshakes go on at once: slots are those of connections
// that shake hands.
type gate struct{ slots *chassis.Slots }

func newGate(total, each int) (gate, error) {
	slots, err := chassis.NewSlots(chassis.Limits{Connections: cmp.Or(total, 1024), ConnectionsPerSource: cmp.Or(each, 64)})
	return gate{slots}, err
}

// enter lets a handshake begin; false when its source has too many, or when no
// place became free in time. While there is none, relieve is called now and then.
func (g gate) enter(ctx context.Context, source netip.Addr, relieve func()) bool {
	if !g.slots.Enter(source) {
		return false
	}
	// Who is hung up on has left the gate a moment later.
	taken := take(ctx, g.slots, func() (free bool) { relieve(); return false })
	if !taken {
		g.slots.Leave(source)
	}
	return taken
}

func (g gate) leave(source netip.Addr) {
	g.slots.Give()
	g.slots.Leave(source)
}
