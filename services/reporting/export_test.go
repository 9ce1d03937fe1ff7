package reporting

import "portcullis/services/hotel"

// Render sets a document without a service around it.
func Render(r hotel.DocumentRequest, verify string) ([]byte, error) { return render(r, verify) }

// Check judges a request.
func Check(r hotel.DocumentRequest) error { return check(r) }

// Occupy takes a turn, as a document does that takes long to set.
func (s *Service) Occupy() (leave func()) {
	s.turns <- struct{}{}
	return func() { <-s.turns }
}
