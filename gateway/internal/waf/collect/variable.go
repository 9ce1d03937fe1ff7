package collect

// Variable is one of the engine's variables that a request fills.
type Variable uint8

// The values of ArgsGet and ArgsPost are those of ARGS too, and so are the
// names. ArgsPath is always empty here, and so are the variables that no
// transaction of ours fills.
const (
	ArgsGet Variable = iota
	ArgsPost
	ArgsGetNames
	ArgsPostNames
	Cookies
	CookiesNames
	Headers
	HeadersNames
	URI
	URIRaw
	Filename
	Basename
	Line
	Method
	Protocol
	QueryString
	RemoteAddr
	Body
	BodyLength
	BodyProcessor
	Files
	FilesNames
	FilesSizes
	FilesCombinedSize
	MultipartName
	MultipartFilename
	MultipartPartHeaders
	XML
	// What follows is of the answer.
	ResponseStatus
	ResponseProtocol
	ResponseHeaders
	ResponseHeadersNames
	ResponseContentType
	ResponseContentLength
	ResponseBody

	// Variables is how many there are.
	Variables
)

// OfAnswer tells whether an answer fills the variable, and not a request.
func (v Variable) OfAnswer() bool { return v >= ResponseStatus }

// String is the engine's name of it.
func (v Variable) String() string {
	return [Variables]string{
		ArgsGet: "ARGS_GET", ArgsPost: "ARGS_POST", ArgsGetNames: "ARGS_GET_NAMES", ArgsPostNames: "ARGS_POST_NAMES",
		Cookies: "REQUEST_COOKIES", CookiesNames: "REQUEST_COOKIES_NAMES", Headers: "REQUEST_HEADERS", HeadersNames: "REQUEST_HEADERS_NAMES",
		URI: "REQUEST_URI", URIRaw: "REQUEST_URI_RAW", Filename: "REQUEST_FILENAME", Basename: "REQUEST_BASENAME", Line: "REQUEST_LINE",
		Method: "REQUEST_METHOD", Protocol: "REQUEST_PROTOCOL", QueryString: "QUERY_STRING", RemoteAddr: "REMOTE_ADDR",
		Body: "REQUEST_BODY", BodyLength: "REQUEST_BODY_LENGTH", BodyProcessor: "REQBODY_PROCESSOR",
		Files: "FILES", FilesNames: "FILES_NAMES", FilesSizes: "FILES_SIZES", FilesCombinedSize: "FILES_COMBINED_SIZE",
		MultipartName: "MULTIPART_NAME", MultipartFilename: "MULTIPART_FILENAME", MultipartPartHeaders: "MULTIPART_PART_HEADERS", XML: "XML",
		ResponseStatus: "RESPONSE_STATUS", ResponseProtocol: "RESPONSE_PROTOCOL", ResponseHeaders: "RESPONSE_HEADERS",
		ResponseHeadersNames: "RESPONSE_HEADERS_NAMES", ResponseContentType: "RESPONSE_CONTENT_TYPE",
		ResponseContentLength: "RESPONSE_CONTENT_LENGTH", ResponseBody: "RESPONSE_BODY",
	}[v]
}

// The selectors by which rules ask for parts of an XML document.
const (
	XMLAttributes = "//@*"
	XMLText       = "/*"
)
