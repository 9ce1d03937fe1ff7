package policy

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestEveryValueKnowsItsPlace(t *testing.T) {
	t.Parallel()
	doc, err := Load(fstest.MapFS{"routes/a.yaml": file("version: 1\nupstream: search\nroutes:\n  - name: x\n    match: GET /x\n    timeout: 2s\n    body: 1MiB\n")}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	r := doc.Routes[0]
	want := Value[time.Duration]{V: 2 * time.Second, Pos: Pos{"routes/a.yaml", 6, 14}, Set: true}
	if diff := cmp.Diff(want, r.Timeout); diff != "" {
		t.Errorf("timeout (-want +got):\n%s", diff)
	}
	if r.Body.V != 1<<20 || r.Upstream.V != "search" || r.Upstream.Pos.Line != 2 || r.WebSocket.Set {
		t.Errorf("body %d, upstream %v, websocket %v", r.Body.V, r.Upstream, r.WebSocket)
	}
}

func TestWhichFilesArePolicies(t *testing.T) {
	t.Parallel()
	bad := file("not a policy: at all\n")
	doc, err := Load(fstest.MapFS{
		"clients.YML":          file("version: 1\n"),
		"a/b/c/deep.yaml":      file("version: 1\nhosts: [localhost]\n"),
		"tests/search.yaml":    file("version: 1\ntests: [{name: x, send: GET /x, expect: {status: 404}}]\n"),
		".hidden.yaml":         bad,
		"..data/gateway.yaml":  bad,
		".git/config.yaml":     bad,
		"README.md":            bad,
		"a/tests/limits.yaml":  file("version: 1\nlimits: [{name: x, by: source, rate: 1/1s}]\n"),
		"policy/testdata/x.go": bad,
	}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Gateway.Hosts) != 1 || len(doc.Limits) != 1 || len(doc.Tests) != 1 {
		t.Errorf("hosts %v, limits %v, tests %v", doc.Gateway.Hosts, doc.Limits, doc.Tests)
	}
}

func TestAFileThatCannotBeTakenIsAMistake(t *testing.T) {
	t.Parallel()
	many := fstest.MapFS{}
	for i := range filesMost + 1 {
		many[strconv.Itoa(i)+".yaml"] = file("version: 1\n")
	}
	cases := map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"larger than a mebibyte": {fstest.MapFS{"a.yaml": file("version: 1\n#" + strings.Repeat("x", FileBytes))}, "larger than"},
		"not UTF-8":              {fstest.MapFS{"a.yaml": file("version: 1\n# \xff\n")}, "not UTF-8"},
		"UTF-16":                 {fstest.MapFS{"a.yaml": file("\xff\xfev\x00")}, "not UTF-8"},
		"one file too many":      {many, "more than 500"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := Load(c.files, noEnvironment)
			if err == nil || !strings.Contains(err.Error(), c.want) || doc != nil {
				t.Errorf("document %v, error %v, want %q", doc, err, c.want)
			}
		})
	}
}

func TestAConfigMapIsReadThroughItsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "..2027"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "..2027", "gateway.yaml"), []byte("version: 1\nhosts: [localhost]\n"), 0o600))
	must(t, os.Symlink("..2027", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/gateway.yaml", filepath.Join(dir, "gateway.yaml")))
	doc, err := Load(os.DirFS(dir), noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Gateway == nil || len(doc.Gateway.Hosts) != 1 {
		t.Errorf("gateway is %v", doc.Gateway)
	}
}

func TestALinkToAFolderIsAMistakeAndNotSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, ".elsewhere"), 0o755))
	must(t, os.Symlink(".elsewhere", filepath.Join(dir, "routes")))
	if _, err := Load(os.DirFS(dir), noEnvironment); err == nil || !strings.Contains(err.Error(), "link to a folder") {
		t.Errorf("error %v", err)
	}
}

func TestANameThatCannotBeSeenIsAMistake(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a\n::error::b.yaml", "a\x1b[2J.yml", "a\u202elmay.yaml", "folder\r/a.yaml"} {
		if _, err := Load(fstest.MapFS{name: file("version: 1\n")}, noEnvironment); err == nil || !strings.Contains(err.Error(), "cannot be seen") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestAPipeIsAMistakeAndBlocksNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "gateway.yaml"), 0o600))
	if _, err := Load(os.DirFS(dir), noEnvironment); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

func TestAFolderThatIsNotThereIsAMistake(t *testing.T) {
	t.Parallel()
	_, err := Load(os.DirFS(filepath.Join(t.TempDir(), "nowhere")), noEnvironment)
	if _, ok := errors.AsType[Mistakes](err); !ok {
		t.Errorf("error %v", err)
	}
}

func TestTheVersionChangesWithNamesAndBytesAlone(t *testing.T) {
	t.Parallel()
	version := func(files fstest.MapFS) string {
		doc, err := Load(files, noEnvironment)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Version
	}
	a := version(fstest.MapFS{"a.yaml": file("version: 1\n")})
	if len(a) != 64 || a != version(fstest.MapFS{"a.yaml": file("version: 1\n"), "notes.txt": file("x")}) {
		t.Errorf("version %q is not a stable SHA-256", a)
	}
	for name, other := range map[string]fstest.MapFS{
		"another name":  {"b.yaml": file("version: 1\n")},
		"another byte":  {"a.yaml": file("version: 1\n ")},
		"one more file": {"a.yaml": file("version: 1\n"), "b.yaml": file("version: 1\n")},
	} {
		if version(other) == a {
			t.Errorf("%s gives the same version", name)
		}
	}
}

func TestTheEnvironmentSaysWhereThingsAre(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"https://a.test":                    "https://a.test",
		"${env:SEARCH_URL}":                 "https://search.hotel.test:9101",
		"${env:EMPTY:-https://b}":           "https://b",
		"${env:NO:-}x":                      "x",
		"https://${env:NO:-a}.${env:NO:-b}": "https://a.b",
	} {
		got, err := expand(value, testEnvironment)
		if err != nil || got != want {
			t.Errorf("%s is %q, error %v; want %q", value, got, err, want)
		}
	}
	inject := func(string) (string, bool) { return "${env:SECRET}", true }
	if got, _ := expand("${env:A}", inject); got != "${env:SECRET}" {
		t.Errorf("a value was expanded again, to %q", got)
	}
}

func TestAPasswordInAnAddressIsNotRepeated(t *testing.T) {
	t.Parallel()
	env := func(string) (string, bool) { return "https://user:hunter2@a.test", true }
	_, err := Check(fstest.MapFS{"a.yaml": file("version: 1\nupstreams: [{name: a, endpoints: [\"${env:A}\"], credential: {client: a}}]\n")}, env)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
	_, err = Check(fstest.MapFS{"a.yaml": file("version: 1\nupstreams: [{name: a, endpoints: [\"https://user:hunter2@a.test\"], credential: {client: a}}]\n")}, noEnvironment)
	mistakes, ok := errors.AsType[Mistakes](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	var out strings.Builder
	must(t, mistakes.Render(&out, false))
	if strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), "@a.test\"], credential") {
		t.Errorf("it is shown:\n%s", out.String())
	}
}

func TestAPrivateKeyIsShownByNoMistakeWhateverItIs(t *testing.T) {
	t.Parallel()
	const secret = "bm90IGEga2V5LCBhbmQgbmV2ZXIgd2FzIG9uZQ"
	begin, end := "-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"
	for name, text := range map[string]string{
		"outside of any key":         "version: 1\n" + begin + "\n" + secret + ": " + secret + "\n" + end + "\n",
		"at the wrong depth":         "version: 1\nclients:\n  - name: a\n    keys:\n      - |\n      " + begin + "\n" + secret + "\n" + end + "\n",
		"on one line":                "version: 1\nclients: [{name: \"" + begin + `\n` + secret + `\n` + end + "\"}]\n",
		"in place of a stanza":       "version: 1\nclients:\n  - " + begin + "\n    " + secret + "\n    " + end + "\n",
		"as a name nothing has":      "version: 1\ndefaults:\n  waf: " + begin + "\n    " + secret + "\n    " + end + "\n",
		"with a mistake in its rows": "version: 1\nclients:\n  - name: a\n    keys:\n      - " + begin + "\n        \t" + secret + "\n        " + end + " : x\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Check(fstest.MapFS{"a.yaml": file(text)}, noEnvironment)
			mistakes, ok := errors.AsType[Mistakes](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			var out strings.Builder
			must(t, mistakes.Render(&out, false))
			if strings.Contains(out.String()+err.Error(), secret[:8]) {
				t.Errorf("it is shown:\n%s", out.String())
			}
		})
	}
}

func TestAFileOfJunkCostsABoundedReport(t *testing.T) {
	t.Parallel()
	var junk strings.Builder
	for i := range 5000 {
		junk.WriteString("junk" + strconv.Itoa(i) + ": x\n")
	}
	_, err := Load(fstest.MapFS{"a.yaml": file(junk.String())}, noEnvironment)
	mistakes, _ := errors.AsType[Mistakes](err)
	if len(mistakes) != mistakesShown+1 || !strings.Contains(mistakes[mistakesShown].What, "4801 more") {
		t.Errorf("%d mistakes, the last: %v", len(mistakes), mistakes[len(mistakes)-1])
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
