package transform

import "strings"

// Transformation is one of the rule language's functions from values to values.
type Transformation struct {
	// Name is in lower case.
	Name string
	// Trigger are the signs of which a value must have at least one to be
	// changed.
	Trigger Signs
	apply   func(*Arena, string) string
}

// Touches reports whether a value with these signs may be changed.
func (t *Transformation) Touches(s Signs) bool { return t.Trigger&(s|always) != 0 }

// Apply returns s transformed, and s itself, at its own address, when nothing
// changes. The result lives as long as a lets it.
func (t *Transformation) Apply(a *Arena, s string) string { return t.apply(a, s) }

// Set are the transformations there are. It is immutable.
type Set struct{ byName map[string]*Transformation }

// New returns the transformations. The table by which urlDecodeUni folds
// characters beyond Latin-1 is read from the engine: a copy could differ one day.
func New() (*Set, error) {
	best, err := readBestFit()
	if err != nil {
		return nil, err
	}
	s := &Set{make(map[string]*Transformation)}
	for _, t := range []Transformation{
		{"lowercase", Upper | High, lowercase},
		{"uppercase", Lower | High, uppercase},
		{"urldecode", Percent | Plus, urlDecode},
		{"urldecodeuni", Percent | Plus, best.urlDecodeUni},
		{"utf8tounicode", High, utf8ToUnicode},
		{"htmlentitydecode", Ampersand, htmlEntityDecode},
		{"jsdecode", Backslash, jsDecode},
		{"cssdecode", Backslash, cssDecode},
		{"escapeseqdecode", Backslash, escapeSeqDecode},
		{"removenulls", Null, removeNulls},
		{"replacenulls", Null, replaceNulls},
		{"cmdline", Upper | Backslash | Quote | Separator | Blank | Gap, cmdLine},
		{"normalizepath", Dot | Slash, normalizePath},
		{"normalisepath", Dot | Slash, normalizePath},
		{"normalizepathwin", Dot | DotEnd | Slash | Backslash | Colon, normalizePathWin},
		{"normalisepathwin", Dot | DotEnd | Slash | Backslash | Colon, normalizePathWin},
		{"removewhitespace", Space | Blank | High, removeWhitespace},
		{"compresswhitespace", Blank | Gap | High, compressWhitespace},
		{"trim", EdgeSpace, trim},
		{"trimleft", EdgeSpace, trimLeft},
		{"trimright", EdgeSpace, trimRight},
		{"replacecomments", Star, replaceComments},
		{"removecommentschar", Star | Dash | Hash, removeCommentsChar},
		{"base64decode", always, base64Decode},
		{"hexencode", always, hexEncode},
		{"sha1", always, sha1Sum},
		{"md5", always, md5Sum},
		{"length", always, length},
	} {
		s.byName[t.Name] = &t
	}
	return s, nil
}

// Find returns the transformation of a name, in any case, or nil: then nobody
// but the engine can tell what a rule sees. "none" is not one; it empties the
// chain before it.
func (s *Set) Find(name string) *Transformation { return s.byName[strings.ToLower(name)] }
