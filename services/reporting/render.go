package reporting

import (
	"fmt"

	"portcullis/services/hotel"
)

// render sets a document. The same request, address and code make the same
// bytes, whenever and wherever. The request was checked.
func render(r hotel.DocumentRequest, verify string) (pdf []byte, err error) {
	// A library that meets what its author did not think of must not take the
	// process with it.
	defer func() {
		if cause := recover(); cause != nil {
			pdf, err = nil, fmt.Errorf("setting a %s panicked: %v", r.Kind, cause)
		}
	}()
	name := title(r)
	s, err := newSheet(name, r.Date)
	if err != nil {
		return nil, err
	}
	if r.Kind == hotel.Statement {
		s.statement(r)
	} else {
		s.stay(r)
	}
	if err := s.proof(r.ID, verify); err != nil {
		return nil, err
	}
	s.folios(name)
	return s.bytes()
}

// title is what readers of PDFs show in their window.
func title(r hotel.DocumentRequest) string {
	if r.Kind == hotel.Statement {
		return "Statement, " + civil(r.Date).Format("January 2006")
	}
	return kindName(r.Kind) + ", " + clean(hotelName(r.Reservation))
}

func kindName(k hotel.DocumentKind) string {
	switch k {
	case hotel.Receipt:
		return "Receipt"
	case hotel.Confirmation:
		return "Confirmation"
	}
	return "Statement"
}

func hotelName(b *hotel.Reservation) string {
	if b.HotelName != "" {
		return b.HotelName
	}
	return b.Hotel
}
