package reservations

import "context"

// Kill is what the end of a process without notice is: whatever runs finds
// neither database nor time.
func (s *Service) Kill() {
	s.stop()
	_ = s.store.Close()
}

// Step does what Run does, once and now.
func (s *Service) Step(ctx context.Context) error {
	if err := s.settleHeld(ctx); err != nil {
		return err
	}
	for {
		n, err := s.outbox.Deliver(ctx)
		if n == 0 || err != nil {
			return err
		}
	}
}

// Left tells what is not done yet: what is held, what is to be told, and what
// was given up.
func (s *Service) Left(ctx context.Context) (held, waiting, dead int, err error) {
	all, err := s.held(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	waiting, dead, err = s.outbox.Counts(ctx)
	return len(all), waiting, dead, err
}

// Released is the first version of the schema, whose files are in use.
func Released() []string { return migrations()[:1] }
