package hotel

import "time"

// DocumentKind is what a document is for.
type DocumentKind string

// The kinds of documents.
const (
	Receipt      DocumentKind = "receipt"
	Confirmation DocumentKind = "confirmation"
	Statement    DocumentKind = "statement"
)

// DocumentRequest has a document rendered. ID names it: the same id with the
// same content is the same document, byte for byte; with another it is 409.
type DocumentRequest struct {
	ID    string       `json:"id"`
	Kind  DocumentKind `json:"kind"`
	Guest string       `json:"guest"`
	// Date stands on it; the clock does not.
	Date        Date         `json:"date"`
	Reservation *Reservation `json:"reservation,omitempty"`
	// Name is who a statement is for, at most MaxName runes.
	Name string `json:"name,omitempty"`
	// Lines are those of a statement.
	Lines []StatementLine `json:"lines,omitempty"`
}

// StatementLine is one payment of a month.
type StatementLine struct {
	Date   Date   `json:"date"`
	Text   string `json:"text"`
	Amount Money  `json:"amount"`
}

// Document is a rendered document; its PDF is at PathDocument.
type Document struct {
	ID      string       `json:"id"`
	Kind    DocumentKind `json:"kind"`
	Guest   string       `json:"guest"`
	Created time.Time    `json:"created"`
	// SHA256 is that of the PDF, in hex.
	SHA256 string `json:"sha256"`
	// Proof is what its last line tells: the code for PathProof.
	Proof string `json:"proof"`
}

// Documents is one page of a guest's documents, newest first.
type Documents struct {
	Documents []Document `json:"documents"`
	// Next is the value of "after" that gives the next page, absent on the last.
	Next string `json:"next,omitempty"`
}

// Proof is what anybody may know of a document whose code they hold.
type Proof struct {
	Document string       `json:"document"`
	Kind     DocumentKind `json:"kind"`
	Date     Date         `json:"date"`
	Hotel    string       `json:"hotel,omitempty"`
	Stay     *Stay        `json:"stay,omitempty"`
	Total    *Money       `json:"total,omitempty"`
	SHA256   string       `json:"sha256"`
}
