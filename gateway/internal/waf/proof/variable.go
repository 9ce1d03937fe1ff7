package proof

import (
	"regexp"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// sources are the parts of a request that fill a variable.
var sources = func() map[string][]collect.Variable {
	all := map[string][]collect.Variable{
		"ARGS":       {collect.ArgsGet, collect.ArgsPost},
		"ARGS_NAMES": {collect.ArgsGetNames, collect.ArgsPostNames},
	}
	for v := range collect.Variables {
		all[v.String()] = []collect.Variable{v}
	}
	return all
}()

// Variables that are the same for every request that is proved. Those without
// members have no value at all; the others have one, which is read from the
// engine.
var (
	emptyVariables = []string{"FILES_TMPNAMES", "FILES_TMP_CONTENT", "GEO", "ARGS_PATH", "MULTIPART_FILENAME_CHARSET", "MULTIPART_FILENAME_LANGUAGE"}
	fixedVariables = []string{
		"REQBODY_ERROR", "REQBODY_ERROR_MSG", "REQBODY_PROCESSOR_ERROR", "REQBODY_PROCESSOR_ERROR_MSG", "URLENCODED_ERROR", "URI_PARSE_ERROR",
		"ARGUMENTS_LIMIT_REACHED", "INBOUND_DATA_ERROR", "MULTIPART_DATA_AFTER",
		"MULTIPART_DUPLICATE_PART_HEADER", "MULTIPART_INVALID_QUOTING", "MULTIPART_STRICT_ERROR",
	}
)

// selection says which members of a variable a link looks at.
type selection struct {
	name string // of the variable, in upper case
	// key is a name in lower case, or in expression; neither means all members.
	key        string
	expression *regexp.Regexp
	count      bool
	number     int // among all selections that count
	except     []selection
}

// all tells whether every member is selected.
func (s *selection) all() bool { return s.key == "" && s.expression == nil && len(s.except) == 0 }

// mayBe tells whether a name can be the key in other letters, for little. Only
// characters outside ASCII change their length when they are lowered.
func (s *selection) mayBe(name string) bool {
	if s.key == "" || len(name) == len(s.key) {
		return true
	}
	for i := range len(name) {
		if name[i] >= 0x80 {
			return true
		}
	}
	return false
}

// covers tells whether the link may look at the member of this name, given as it
// was sent and in lower case. The engine compares arguments' names with case and
// all others without; looking at more is safe. Exceptions are never wider than
// the engine's.
func (s *selection) covers(name, lower string) bool {
	switch {
	case s.expression != nil:
		if !s.expression.MatchString(lower) && !s.expression.MatchString(name) {
			return false
		}
	case s.key != "" && s.key != lower:
		return false
	}
	for n := range s.except {
		e := &s.except[n]
		if e.expression != nil && e.expression.MatchString(lower) || e.expression == nil && (e.key == "" || e.key == lower) {
			return false
		}
	}
	return true
}

// casing are the variables whose selectors the engine does not lower.
var casing = map[string]bool{"ARGS": true, "ARGS_NAMES": true, "ARGS_GET": true, "ARGS_POST": true, "ARGS_GET_NAMES": true, "ARGS_POST_NAMES": true}

// selections reads a rule's targets; an exception is for those left of it.
func selections(targets []seclang.Target) ([]selection, error) {
	var all []selection
	for _, t := range targets {
		s := selection{name: t.Variable, key: strings.ToLower(t.Key), count: t.Count}
		if t.Expression {
			text := t.Key
			if !casing[t.Variable] {
				text = strings.ToLower(text) // as text: \W becomes \w, for the engine too
			}
			var err error
			if s.expression, err = regexp.Compile(text); err != nil {
				return nil, err
			}
			s.key = ""
		}
		if !t.Except {
			all = append(all, s)
			continue
		}
		for n := range all {
			if all[n].name == s.name {
				all[n].except = append(all[n].except, s)
			}
		}
	}
	return all, nil
}
