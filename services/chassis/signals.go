package chassis

import (
	"context"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends with SIGINT or SIGTERM. stop restores the
// signals' usual effect, so that a second one ends a process that hangs. From
// now on a reader of our output that goes away is an error of that write and
// does not end the process (SIGPIPE).
func Signals(ctx context.Context) (_ context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
}
