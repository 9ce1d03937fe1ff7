package waf

import (
	"fmt"
	"strings"

	"portcullis/gateway/internal/waf/proof"
)

// Unprovable is what the proof leaves to the engine.
type Unprovable struct {
	// File and Line are the place of a rule of a patch; empty for anything else.
	File string
	Line int
	// What is the reason, and which requests run the engine because of it.
	What string
}

func unprovableIn(u proof.Unprovable) Unprovable {
	if u.File == "" || strings.HasPrefix(u.File, "@") {
		return Unprovable{What: u.String()}
	}
	return Unprovable{File: u.File, Line: u.Line, What: fmt.Sprintf("rule %d: %s is not provable; %s", u.Rule, u.Why, u.Then)}
}

func (u Unprovable) place() string {
	if u.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", u.File, u.Line)
}
