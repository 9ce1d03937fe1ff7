package reporting

import (
	"portcullis/services/hotel"
)

// dateColumn is how wide the dates of a statement stand.
const dateColumn = 92 * pt

// statement sets the payments of a month, over as many pages as they take.
func (s *sheet) statement(r hotel.DocumentRequest) {
	s.page()
	whose := clean(r.Name)
	if whose == "" {
		whose = "Guest " + clean(r.Guest)
	}
	s.head(r.Kind, r.Date, civil(r.Date).Format("January 2006"), whose)
	s.columns()
	s.opened = func(int) { s.columns() }
	for _, l := range r.Lines {
		s.entry(l)
	}
	s.opened = nil
	s.totals(r.Lines)
}

// columns heads the table, on every page.
func (s *sheet) columns() {
	s.text(left, s.y+s.label().size, s.label(), "DATE")
	s.text(left+dateColumn, s.y+s.label().size, s.label(), "DESCRIPTION")
	s.rightText(right, s.y+s.label().size, s.label(), "AMOUNT")
	s.y += 16 * pt
	s.line(left, right, s.y, 100, ink())
}

// entry is one payment; its text may take several lines and stays on one page.
func (s *sheet) entry(l hotel.StatementLine) {
	const leading, pad = 14 * pt, 9 * pt
	amount := money(l.Amount)
	lines := wrap(clean(l.Text), s.body(), right-left-dateColumn-s.body().width(amount)-24*pt)
	height := 2*pad + leading*length(len(lines)-1) + s.body().size
	s.need(height)
	base := s.y + pad + s.body().size - 150
	s.text(left, base, s.body().in(soft()), civil(l.Date).Format("2 Jan 2006"))
	s.rightText(right, base, s.body(), amount)
	for i, line := range lines {
		s.text(left+dateColumn, base+leading*length(i), s.body(), line)
	}
	s.y += height
	s.line(left, right, s.y, 50, rule())
}

// totals adds up each currency by itself, in the order in which they occur.
func (s *sheet) totals(lines []hotel.StatementLine) {
	sums := map[string]int64{}
	var order []string
	for _, l := range lines {
		if _, seen := sums[l.Amount.Currency]; !seen {
			order = append(order, l.Amount.Currency)
		}
		sums[l.Amount.Currency] += l.Amount.Amount
	}
	st := s.lead()
	st.size = 22 * pt
	s.y += 14 * pt
	for i, c := range order {
		s.need(34 * pt)
		if i == 0 {
			s.text(left, s.y+st.size, s.strong(), "Total")
			s.text(left+dateColumn, s.y+st.size, s.small(), count(len(lines), "payment"))
		}
		s.rightText(right, s.y+st.size, st, money(hotel.Money{Amount: sums[c], Currency: c}))
		s.y += 34 * pt
	}
}
