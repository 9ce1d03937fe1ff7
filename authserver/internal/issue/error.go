package issue

// Code is an error code of RFC 6749 5.2 or RFC 8707 2.
type Code string

// The codes with which an issuer refuses.
const (
	InvalidRequest     Code = "invalid_request"
	UnauthorizedClient Code = "unauthorized_client"
	InvalidScope       Code = "invalid_scope"
	InvalidTarget      Code = "invalid_target"
	InvalidGrant       Code = "invalid_grant"
)

// Error is a refusal that the client is told as it stands. Any other error of
// this package is a fault of ours and must not be shown.
type Error struct {
	Code Code
	// Description is for the client's developer; printable ASCII without quote
	// and backslash, as RFC 6749 5.2 wants it.
	Description string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Description }

func refuse(code Code, description string) *Error {
	return &Error{Code: code, Description: description}
}
