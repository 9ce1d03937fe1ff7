package accounts

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrRefused is the one answer to an unknown address and to a wrong
	// password.
	ErrRefused = errors.New("the e-mail address or the password is not right")
	// ErrUnverified: the password is right, the address not confirmed yet.
	ErrUnverified = errors.New("the e-mail address is not confirmed yet")
	// ErrLink: the link in a mail is unknown, void, used or too old.
	ErrLink = errors.New("the link is not good any more")
	// ErrNoSession: nobody is signed in.
	ErrNoSession = errors.New("nobody is signed in")
	// ErrBusy: too many passwords are being checked. See BusyRetry.
	ErrBusy = errors.New("too many passwords are being checked at once")
)

// BusyRetry is when to try again after ErrBusy.
const BusyRetry = 2 * time.Second

// InvalidError says what is wrong with what a person typed, in sentences for
// them; empty where a field is good.
type InvalidError struct{ Email, Password string }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("invalid: e-mail %q, password %q", e.Email, e.Password)
}

// WaitError says that this source has tried too many passwords on this address.
type WaitError struct{ After time.Duration }

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong passwords: wait %v", e.After)
}
