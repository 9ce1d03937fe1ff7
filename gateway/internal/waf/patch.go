package waf

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"

	crs "github.com/corazawaf/coraza-coreruleset/v4"

	"portcullis/gateway/internal/waf/seclang"
)

// Rules of patches have ids of their own, of which neither the Core Rule Set nor
// the rest of a profile has any.
const firstPatch, lastPatch = 1_000_000, 1_099_999

// Patch is a file of rules, in the engine's own language, that refuse what
// attacks one weakness of a service until that is mended.
type Patch struct {
	// File is its path below the policy folder, of letters, digits and . _ - /
	File string
	// Text is what stands in it.
	Text string
	// MustPass are requests that pass with the patch, MustBlock are refused with
	// it and pass without. They are written as those of an Exclusion.
	MustPass, MustBlock []string
}

// PatchMistake is why a patch cannot be used.
type PatchMistake struct {
	// Patch counts among those of the profile; MustPass and MustBlock among its
	// requests, -1 when the reason lies in none of these. Line is in its file, 0
	// when the reason lies in no line.
	Patch, MustPass, MustBlock, Line int
	// What is the reason, Why why it is one, Mend what to do about it. The last
	// two may be empty.
	What, Why, Mend string
}

func (m *PatchMistake) Error() string { return m.What }

// patchRule is what is to be known of a rule of a patch once it has matched.
type patchRule struct {
	seclang.Place
	// denies says that it refuses a request or adds to its score, reports that a
	// match is to be told of.
	denies, reports bool
	// early says that it may stop a request before its body is there.
	early bool
}

// patchRules are those of files that have been checked, by their ids.
func patchRules(patches []Patch) (map[int]patchRule, error) {
	all := map[int]patchRule{}
	for _, p := range patches {
		fragment, err := seclang.Fragment(p.File, p.Text)
		if err != nil {
			return nil, err
		}
		for _, r := range fragment.Rules {
			if r.Marker != "" {
				continue
			}
			rule := patchRule{Place: r.Place, denies: r.Has("deny") || r.Has("drop") || r.Has("redirect"), early: r.Phase == 1 && !r.Has("pass")}
			for _, link := range r.Links() {
				for _, a := range link.Actions {
					rule.denies = rule.denies || a.Name == "setvar" && scores(a.Value)
				}
			}
			rule.reports = rule.denies || r.Logs()
			all[r.ID] = rule
		}
	}
	return all, nil
}

// rulesWith is the Core Rule Set in the engine's language, with patches where
// everything has been looked for and nothing is decided yet. So they see what the
// rules before them found, add to a score that counts, and change nothing of what
// was looked for. The digests stand for the files wherever texts are compared.
func rulesWith(patches []Patch) (string, error) {
	if len(patches) == 0 {
		return "Include @owasp_crs/*.conf\n", nil
	}
	names, err := fs.Glob(crs.FS, "@owasp_crs/*.conf")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	there := false
	for _, name := range names {
		if strings.Contains(name, "/REQUEST-949-") {
			there = true
			for _, p := range patches {
				fmt.Fprintf(&b, "# %s %x\nInclude %s\n", p.File, sha256.Sum256([]byte(p.Text)), p.File)
			}
		}
		fmt.Fprintf(&b, "Include %s\n", name)
	}
	if !there {
		return "", fmt.Errorf("the Core Rule Set in this binary has no file that decides, REQUEST-949: there is no place for patches")
	}
	return b.String(), nil
}

// files are those of the Core Rule Set and those of patches. No name of one can
// be a name of the other: the rules' begin with an @.
func files(patches []Patch) fs.FS {
	if len(patches) == 0 {
		return crs.FS
	}
	f := patched{FS: crs.FS, texts: map[string]string{}}
	for _, p := range patches {
		f.texts[p.File] = p.Text
	}
	return f
}

// patched is a file system with some texts in front of it.
type patched struct {
	fs.FS
	texts map[string]string
}

func (f patched) ReadFile(name string) ([]byte, error) {
	if text, ok := f.texts[name]; ok {
		return []byte(text), nil
	}
	return fs.ReadFile(f.FS, name)
}

func (f patched) Glob(pattern string) ([]string, error) { return fs.Glob(f.FS, pattern) }
