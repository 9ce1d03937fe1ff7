package audit

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxField bounds each fact in bytes, and the scopes together: much of it
	// comes from strangers, and what they send must not fill the disk.
	maxField = 512
	// maxScopes bounds how many scopes one record has.
	maxScopes = 32
	// more stands where something was cut off.
	more = "…"
)

// Record is what happened. Action and Outcome are ours and must be there;
// everything else may be empty and may come from a stranger. It is cut to 512
// bytes a field, and what no text should hold is replaced.
type Record struct {
	// Action is what was asked or done, as in "issue"; Outcome what came of it,
	// as in "granted".
	Action  string `json:"action"`
	Outcome string `json:"outcome"`

	Client    string   `json:"client,omitempty"`
	Subject   string   `json:"subject,omitempty"`
	Actor     string   `json:"actor,omitempty"`
	TokenID   string   `json:"token_id,omitempty"`
	Audience  string   `json:"audience,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
	Source    string   `json:"source,omitempty"`
	RequestID string   `json:"request_id,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Detail    string   `json:"detail,omitempty"`
}

// appendFacts appends the record's members, each with a comma before it, always
// in this order and always written in the same way: a line has one form only.
func (r Record) appendFacts(dst []byte) []byte {
	dst = append(dst, `,"action":`...)
	dst = appendString(dst, r.Action)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, r.Outcome)
	dst = appendFact(dst, `,"client":`, r.Client)
	dst = appendFact(dst, `,"subject":`, r.Subject)
	dst = appendFact(dst, `,"actor":`, r.Actor)
	dst = appendFact(dst, `,"token_id":`, r.TokenID)
	dst = appendFact(dst, `,"audience":`, r.Audience)
	for i, scope := range boundScopes(r.Scopes) {
		if i == 0 {
			dst = append(dst, `,"scopes":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, scope)
	}
	if len(r.Scopes) > 0 {
		dst = append(dst, ']')
	}
	dst = appendFact(dst, `,"source":`, r.Source)
	dst = appendFact(dst, `,"request_id":`, r.RequestID)
	dst = appendFact(dst, `,"reason":`, r.Reason)
	return appendFact(dst, `,"detail":`, r.Detail)
}

func appendFact(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, name...), value)
}

// appendString writes a JSON string of printable ASCII only: who reads the log
// on a terminal is not steered by what a stranger put into it.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	escape := func(unit rune) {
		dst = append(dst, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
	}
	dst = append(dst, '"')
	for _, r := range bound(s) {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= ' ' && r <= '~':
			dst = append(dst, byte(r))
		case r > 0xffff: // a surrogate pair, as JSON has it
			escape(0xd800 + (r-0x10000)>>10)
			escape(0xdc00 + (r-0x10000)&0x3ff)
		default:
			escape(r)
		}
	}
	return append(dst, '"')
}

// bound makes valid text of at most maxField bytes, and leaves such text as it
// is.
func bound(s string) string {
	if len(s) <= maxField && utf8.ValidString(s) {
		return s
	}
	long := len(s) > maxField
	s = strings.ToValidUTF8(s[:min(len(s), maxField)], "\ufffd")
	if !long && len(s) <= maxField {
		return s
	}
	end := min(len(s), maxField-len(more))
	for end < len(s) && !utf8.RuneStart(s[end]) { // not within a rune
		end--
	}
	return s[:end] + more
}

// boundScopes leaves out what is too much, and says so in place of it.
func boundScopes(scopes []string) []string {
	bytes := 0
	for i, scope := range scopes {
		bytes += len(bound(scope))
		last := i == len(scopes)-1
		if bytes <= maxField && i < maxScopes && (last || bytes <= maxField-len(more) && i < maxScopes-1) {
			continue
		}
		return append(scopes[:i:i], more)
	}
	return scopes
}
