package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const patchedProfile = `version: 1
waf:
  - name: notes
    patches:
      - {file: waf/a.conf, reason: CVE-2026-1, owner: security, expires: 2027-06-30, must_pass: [a=1], must_block: [a=x]}
`

// folderWithPatch is a real folder, where links can be.
func folderWithPatch(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "waf.yaml"), []byte(patchedProfile), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "waf"), 0o700))
	return dir
}

// A ConfigMap is mounted as links to links within its folder; who may write the
// policies must not have files read from elsewhere.
func TestALinkToAPatchMayNotLeadOutOfTheFolder(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret.conf")
	must(t, os.WriteFile(outside, []byte("outside"), 0o600))
	for name, tc := range map[string]struct {
		links map[string]string // by name, below the folder
		want  string            // of the mistake; empty for none
	}{
		"as a ConfigMap is mounted":  {map[string]string{"waf/a.conf": "../..data/a.conf", "..data": "..2027_01"}, ""},
		"to a file beside it":        {map[string]string{"waf/a.conf": "b.conf"}, ""},
		"through a folder":           {map[string]string{"waf/a.conf": ".up/..2027_01/a.conf", "waf/.up": ".."}, ""},
		"to a file of the machine":   {map[string]string{"waf/a.conf": outside}, "leads out"},
		"out of the folder":          {map[string]string{"waf/a.conf": "../../../../../../../../../../" + outside}, "leads out"},
		"out of it over a folder":    {map[string]string{"waf/a.conf": ".up/../../x.conf", "waf/.up": ".."}, "cannot be read"},
		"over a folder of elsewhere": {map[string]string{"waf/a.conf": ".up/secret.conf", "waf/.up": filepath.Dir(outside)}, "leads out"},
		"in a circle":                {map[string]string{"waf/a.conf": "b2.conf", "waf/b2.conf": "a.conf"}, "more than 8 symbolic links"},
		"to nothing":                 {map[string]string{"waf/a.conf": "absent.conf"}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folderWithPatch(t)
			must(t, os.Mkdir(filepath.Join(dir, "..2027_01"), 0o700))
			for _, file := range []string{"..2027_01/a.conf", "waf/b.conf"} {
				must(t, os.WriteFile(filepath.Join(dir, file), []byte("SecMarker PATCH-X\n"), 0o600))
			}
			for link, target := range tc.links {
				must(t, os.Symlink(target, filepath.Join(dir, link)))
			}
			doc, err := Load(os.DirFS(dir), noEnvironment)
			switch {
			case tc.want != "":
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				if text, ok := doc.File("waf/a.conf"); !ok || string(text) != "SecMarker PATCH-X\n" {
					t.Errorf("read %q", text)
				}
			}
		})
	}
}

func TestTheTextOfAPatchIsPartOfTheVersion(t *testing.T) {
	t.Parallel()
	dir := folderWithPatch(t)
	version := func(text string) string {
		must(t, os.WriteFile(filepath.Join(dir, "waf", "a.conf"), []byte(text), 0o600))
		doc, err := Load(os.DirFS(dir), noEnvironment)
		must(t, err)
		return doc.Version
	}
	if version("SecMarker PATCH-X\n") == version("SecMarker PATCH-Y\n") {
		t.Error("an edited patch is the same version")
	}
}

func TestAPatchIsBounded(t *testing.T) {
	t.Parallel()
	dir := folderWithPatch(t)
	for size, fits := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		must(t, os.WriteFile(filepath.Join(dir, "waf", "a.conf"), []byte(strings.Repeat("#", size)), 0o600))
		if _, err := Load(os.DirFS(dir), noEnvironment); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
