package chassis

import (
	"context"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends with SIGINT or SIGTERM. The first restores
// the signals' usual effect, as stop does, so that a second one ends a process
// that hangs while it drains. From now on a reader of our output that goes away
// is an error of that write and does not end the process (SIGPIPE).
func Signals(ctx context.Context) (_ context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
