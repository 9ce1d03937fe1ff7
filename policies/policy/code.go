package policy

// The codes of mistakes: stable, so that they can be searched for. What each
// means stands in policies/README.md.
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
	CodeEnvironment = "P010" // ${env:NAME}
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
	CodeOther       = "P099"
)
