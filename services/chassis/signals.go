package chassis

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends with SIGINT or SIGTERM. The first restores
// the signals' usual effect, as stop does, so that a second one ends a process
// that hangs while it drains. From now on a reader of our output that goes away
// is an error of that write and does not end the process (SIGPIPE).
func Signals(ctx context.Context) (_ context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop = context.WithCancel(ctx)
	first := make(chan os.Signal, 1)
	signal.Notify(first, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-first:
		case <-ctx.Done():
		}
		signal.Stop(first) // before anybody learns of the end, or a second signal could be lost
		stop()
	}()
	return ctx, stop
}
