package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
)

// lastPatch is the last id that a rule of a patch may have; the first comes after
// those of the Core Rule Set.
const lastPatch = 1_099_999

const (
	// patchBytes is the most bytes that a file of a patch may have: some hundred
	// rules, where a patch has a few.
	patchBytes = 64 << 10
	// patchesMost bounds the patches of a profile. To prove each, the rules are
	// loaded once more without it.
	patchesMost = 20
	// linksMost bounds how many symbolic links lead to one file.
	linksMost = 8
)

// patches reads the files of rules that WAF profiles name.
func (d *decoder) patches(fsys fs.FS) {
	for _, p := range d.doc.WAF {
		for _, patch := range p.Patches {
			name := patch.File
			if _, read := d.doc.files[name.V]; read || !name.Set {
				continue
			}
			data, err := patchFile(fsys, name.V)
			if err != nil {
				d.report(name.Pos, CodeFile, fmt.Sprintf("%q cannot be the file of a patch", name.V), err.Error(), "name a file of rules below the policy folder: waf/cve-2026-1.conf")
				continue
			}
			d.doc.files[name.V] = data
			d.doc.sources[name.V] = &source{lines: lines(data), widths: map[Pos]int{}}
		}
	}
}

func patchFile(fsys fs.FS, name string) ([]byte, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, errors.New("the path must lead straight below the policy folder")
	case path.Ext(name) != ".conf":
		return nil, errors.New("the name must end in .conf")
	case strings.HasPrefix(name, ".") || strings.Contains(name, "/."):
		return nil, errors.New("hidden files are not read")
	case strings.ContainsFunc(name, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/", r)
	}):
		return nil, errors.New("a name has letters, digits and . _ - /") // it stands in a directive of the engine
	}
	real, err := inside(fsys, name)
	if err != nil {
		return nil, err
	}
	data, err := read(fsys, real)
	switch {
	case err != nil:
		return nil, err
	case len(data) > patchBytes:
		return nil, fmt.Errorf("the file is larger than %d bytes", patchBytes)
	}
	return data, nil
}

// inside follows symbolic links to the file itself and refuses those that lead
// out of the folder: who may write a policy may not have the gateway read, and
// quote in a mistake, a file that they cannot read themselves. A ConfigMap is
// made of links within its folder.
func inside(fsys fs.FS, name string) (string, error) {
	links, readable := fsys.(fs.ReadLinkFS)
	if !readable {
		return name, nil // as a revision of git, it has none
	}
	real, rest := ".", name
	for followed := 0; rest != ""; {
		part, after, _ := strings.Cut(rest, "/")
		next := path.Join(real, part)
		info, err := links.Lstat(next)
		if err != nil {
			return "", fmt.Errorf("the file cannot be read: %w", err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real, rest = next, after
			continue
		}
		if followed++; followed > linksMost {
			return "", fmt.Errorf("more than %d symbolic links lead to it", linksMost)
		}
		target, err := links.ReadLink(next)
		if err != nil {
			return "", fmt.Errorf("the link cannot be read: %w", err)
		}
		// From the top again: the target may lead through links as well.
		rest = path.Join(real, target, after)
		if path.IsAbs(target) || !fs.ValidPath(rest) {
			return "", errors.New("a symbolic link leads out of the policy folder")
		}
		real = "."
	}
	return real, nil
}

// patches checks what can be said of them without reading rules; these are read
// where they are compiled.
func (v *validator) patches(p *WAFProfile) {
	if len(p.Patches) > patchesMost {
		v.report(p.Patches[patchesMost].Pos, CodeBounds, fmt.Sprintf("the profile has more than %d patches", patchesMost), "each is proved whenever the policies are taken over",
			"mend what they are for, or put rules that belong together into one file")
	}
	first := map[string]Pos{}
	for _, patch := range p.Patches {
		if at, twice := first[patch.File.V]; twice && patch.File.Set {
			v.report(patch.File.Pos, CodeDuplicate, fmt.Sprintf("the patch %q stands twice", patch.File.V), "the other is at "+at.String(), "leave one of them out")
			continue
		}
		first[patch.File.V] = patch.File.Pos
	}
}

// patches tells of those whose day is near or past. They go on refusing.
func (a *adviser) patches(p *WAFProfile) {
	for _, patch := range p.Patches {
		if patch.Expires.V.Sub(a.now) <= exemptionSoon {
			a.exemption(patch.Pos, patch.Exemption, fmt.Sprintf("WAF profile %q has the patch %s", p.Name.V, patch.File.V))
		}
	}
}
