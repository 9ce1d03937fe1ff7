package collect

// Unclear is a body that is refused or left to the engine, because another
// parser may read something else in it.
type Unclear struct {
	of error
	// What is at fault, a clause for whoever sent it: "has a part without a
	// name". Nothing of the request is in it.
	What string
}

// Error says what kind of body it is and what is at fault.
func (u *Unclear) Error() string { return u.of.Error() + ": it " + u.What }

// Unwrap is ErrMultipart or ErrXML.
func (u *Unclear) Unwrap() error { return u.of }

func multipartFault(what string) error { return &Unclear{ErrMultipart, what} }

func xmlFault(what string) error { return &Unclear{ErrXML, what} }
