package policy

import "slices"

// The codes of mistakes: stable, so that they can be searched for. Each has its
// explanation in Explanations.
const (
	CodeFile        = "P001" // a file or folder cannot be taken
	CodeSyntax      = "P002" // not YAML
	CodeFeature     = "P003" // YAML that policies do without
	CodeVersion     = "P004" // a version not known here
	CodeUnknownKey  = "P005"
	CodeDuplicate   = "P006" // the same key, name or entry twice
	CodeMissing     = "P007" // a required key or value is absent
	CodeShape       = "P008" // a list where a text belongs, and the like
	CodeForm        = "P009" // a value that cannot be read
	CodeEnvironment = "P010" // ${env:NAME} and ${file:PATH}
	CodeUnknownName = "P020" // a name that nothing has
	CodeSameMatch   = "P021" // two routes for the same requests
	CodeMatch       = "P022" // a match that no request can have
	CodeAddress     = "P023" // a URL, host or network
	CodeBounds      = "P024" // a number outside what is allowed
	CodeNobody      = "P025" // a route that nobody may use
	CodeRule        = "P026" // a rule that cannot mean what it says
	CodeReason      = "P027" // an exception without a reason
	CodeFloor       = "P028" // a route below the floor
	CodeSilent      = "P029" // a stage left out without saying so
	CodeChoice      = "P030" // not one of the words allowed here
	CodeNoEffect    = "P031" // a key that does nothing here
	CodeUninspected = "P032" // a body larger than the WAF inspects
	CodeUnprotected = "P033" // a token or key in the clear, tokens that would be anybody's
	CodeRewrite     = "P034" // a redirect, path or prefix that cannot be
	CodeField       = "P035" // a header field that a policy cannot set or remove
	CodeExclusion   = "P036" // an exclusion that covers more than one argument
	CodeTest        = "P037" // a test that cannot be sent or expects what cannot be
	CodeClaim       = "P038" // a claim that cannot be declared, or has two types
	CodeConflict    = "P039" // two things in force where there can be one
	CodeOther       = "P099"
)

// The codes of what Advise finds.
const (
	CodeExpires  = "P040" // an exemption ends within a month
	CodeExpired  = "P041" // an exemption has ended
	CodeOptOut   = "P042" // a stage left out, with its reason
	CodeShadow   = "P043" // something that only watches
	CodeShadowed = "P044" // a route whose requests a more specific one partly takes and treats differently
	CodeIdle     = "P045" // a rule or an exception that decides nothing
	CodeUnused   = "P046" // something that nothing names
	CodeUnproved = "P047" // what the proof of a WAF profile leaves to its rules
)

// Explanation is what there is to know about the mistakes of one code.
type Explanation struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	// Why is why it matters, Mend how to mend it.
	Why  string `json:"why"`
	Mend string `json:"mend"`
	// Wrong is the smallest piece of a policy with the mistake, and Right the
	// same without it. Both are empty where no policy alone shows it.
	Wrong string `json:"wrong,omitempty"`
	Right string `json:"right,omitempty"`
}

// Explanations explain the codes of this package, in the order of the codes.
func Explanations() []Explanation {
	return slices.Concat(explainReading(), explainMeaning(), explainAdvice())
}
