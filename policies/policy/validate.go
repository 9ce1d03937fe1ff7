package policy

// Validate tells whether the values of a document fit together.
func Validate(*Document) error { return nil }
