package problem

import "net/http"

// Code is the public, stable name of a problem. Clients may switch on it.
type Code string

// The codes, grouped by the status they travel with.
const (
	BadRequest        Code = "bad_request"
	AmbiguousPath     Code = "ambiguous_path"
	InvalidToken      Code = "invalid_token"
	PaymentDeclined   Code = "payment_declined"
	MissingToken      Code = "missing_token"
	Forbidden         Code = "forbidden"
	InsufficientScope Code = "insufficient_scope"
	WAFDenied         Code = "waf_denied"
	NotFound          Code = "not_found"
	MethodNotAllowed  Code = "method_not_allowed"
	RequestTimeout    Code = "request_timeout"
	Conflict          Code = "conflict"
	BodyTooLarge      Code = "body_too_large"
	UnsupportedMedia  Code = "unsupported_media_type"
	WrongHost         Code = "wrong_host"
	Unprocessable     Code = "unprocessable"
	TooManyRequests   Code = "too_many_requests"
	HeadersTooLarge   Code = "headers_too_large"
	ClientClosed      Code = "client_closed_request"
	Internal          Code = "internal"
	BadGateway        Code = "bad_gateway"
	AnswerWithheld    Code = "answer_withheld"
	Unavailable       Code = "unavailable"
	Overloaded        Code = "overloaded"
	IssuerUnavailable Code = "issuer_unavailable"
	UpstreamBroken    Code = "upstream_unavailable"
	GatewayTimeout    Code = "upstream_timeout"
)

type meaning struct {
	status int
	title  string
}

// meanings is a function and not a variable so that nothing can change it.
func meanings(c Code) meaning {
	switch c {
	case BadRequest:
		return meaning{http.StatusBadRequest, "The request is malformed"}
	case AmbiguousPath:
		return meaning{http.StatusBadRequest, "The path can be read in more than one way"}
	case InvalidToken:
		return meaning{http.StatusUnauthorized, "The access token is not valid here"}
	case MissingToken:
		return meaning{http.StatusUnauthorized, "An access token is required"}
	case PaymentDeclined:
		return meaning{http.StatusPaymentRequired, "The payment was declined"}
	case Forbidden:
		return meaning{http.StatusForbidden, "You may not do this"}
	case InsufficientScope:
		return meaning{http.StatusForbidden, "The access token lacks a required scope"}
	case WAFDenied:
		return meaning{http.StatusForbidden, "The request looks like an attack"}
	case NotFound:
		return meaning{http.StatusNotFound, "There is nothing here"}
	case MethodNotAllowed:
		return meaning{http.StatusMethodNotAllowed, "The method is not allowed here"}
	case RequestTimeout:
		return meaning{http.StatusRequestTimeout, "The request took too long to arrive"}
	case Conflict:
		return meaning{http.StatusConflict, "The request conflicts with the present state"}
	case BodyTooLarge:
		return meaning{http.StatusRequestEntityTooLarge, "The request body is too large"}
	case UnsupportedMedia:
		return meaning{http.StatusUnsupportedMediaType, "The content type is not accepted here"}
	case WrongHost:
		return meaning{http.StatusMisdirectedRequest, "This host is not served here"}
	case Unprocessable:
		return meaning{http.StatusUnprocessableEntity, "The request cannot be carried out as it stands"}
	case TooManyRequests:
		return meaning{http.StatusTooManyRequests, "Too many requests"}
	case HeadersTooLarge:
		return meaning{http.StatusRequestHeaderFieldsTooLarge, "The request header fields are too large"}
	case ClientClosed:
		return meaning{499, "The client closed the request"}
	case BadGateway:
		return meaning{http.StatusBadGateway, "The service behind the gateway gave no valid answer"}
	case AnswerWithheld:
		return meaning{http.StatusBadGateway, "The answer was withheld"}
	case Unavailable:
		return meaning{http.StatusServiceUnavailable, "The service is not available right now"}
	case Overloaded:
		return meaning{http.StatusServiceUnavailable, "The gateway is busy"}
	case IssuerUnavailable:
		return meaning{http.StatusServiceUnavailable, "Access tokens cannot be checked right now"}
	case UpstreamBroken:
		return meaning{http.StatusServiceUnavailable, "The service behind the gateway is not available right now"}
	case GatewayTimeout:
		return meaning{http.StatusGatewayTimeout, "The service behind the gateway took too long"}
	default:
		return meaning{http.StatusInternalServerError, "Something went wrong on our side"}
	}
}

// Status is the HTTP status of the code; an unknown code is 500.
func (c Code) Status() int { return meanings(c).status }

// Title is the code's public, human-readable summary.
func (c Code) Title() string { return meanings(c).title }
