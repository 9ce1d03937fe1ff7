package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheAuditLogShowsWhoTamperedWithIt alters copies of a log, as somebody
// would who may write the file, and asks the command for the first line that is
// not as it was written.
func TestTheAuditLogShowsWhoTamperedWithIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.startAuth()
	for range 10 {
		d.credentials("robot", audience)
	}
	head := must(d.client.Get(d.authURL + "/audit/head"))
	var signed bytes.Buffer
	_ = must(copyTo(&signed, head.Body))
	_ = head.Body.Close()
	set := must(d.keySet())
	for range 5 {
		d.credentials("robot", audience)
	}
	if a := d.post("/token", d.by("nobody")); a.status != http.StatusUnauthorized {
		t.Fatalf("%d %s", a.status, a.body)
	}
	d.credentials("robot", audience) // what nobody follows, a later head alone would prove
	headFile, keysFile := filepath.Join(d.dir, "head.jws"), filepath.Join(d.dir, "keys.json")
	forged := filepath.Join(d.dir, "forged.jws")
	for file, text := range map[string][]byte{headFile: signed.Bytes(), keysFile: []byte(set), forged: append([]byte("e30"), signed.Bytes()...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The log of a service that runs verifies, and the head is in it.
	if out, code := d.operate("audit", "verify", "--head", headFile); code != 0 || !strings.Contains(out, "is in it") {
		t.Fatalf("exit %d: %s", code, out)
	}
	segments := must(filepath.Glob(filepath.Join(d.data(), "audit", "*.jsonl")))
	if len(segments) != 1 {
		t.Fatalf("the segments are %v", segments)
	}
	text := must(os.ReadFile(segments[0]))
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
	last := len(lines)
	if last < 18 {
		t.Fatalf("the log has %d lines", last)
	}
	edit := func(do func(all [][]byte) [][]byte) []byte {
		all := make([][]byte, len(lines))
		for i := range lines {
			all[i] = bytes.Clone(lines[i])
		}
		return bytes.Join(do(all), nil)
	}
	flip := func(line, at int) []byte {
		return edit(func(all [][]byte) [][]byte { all[line-1][at] ^= 1; return all })
	}
	at := bytes.Index(lines[7], []byte(`"token_id":"`)) + len(`"token_id":"`)
	for name, c := range map[string]struct {
		log  []byte
		args []string
		code int
		says string
	}{
		"a byte of a token's id":             {flip(8, at), nil, 1, "line 8"},
		"a byte of the first line":           {flip(1, 20), nil, 1, "line 1"},
		"a byte of the last line but one":    {flip(last-1, at), nil, 1, fmt.Sprintf("line %d", last-1)},
		"a line that was removed":            {edit(func(all [][]byte) [][]byte { return append(all[:8], all[9:]...) }), nil, 1, "removed"},
		"two lines that changed places":      {edit(func(all [][]byte) [][]byte { all[5], all[6] = all[6], all[5]; return all }), nil, 1, "line 6"},
		"a line that was repeated":           {edit(func(all [][]byte) [][]byte { return append(all[:9:9], all[8:]...) }), nil, 1, "line 10"},
		"the beginning that was removed":     {edit(func(all [][]byte) [][]byte { return all[3:] }), nil, 1, "line 1"},
		"an outcome that was turned":         {bytes.Replace(text, []byte(`"outcome":"failure"`), []byte(`"outcome":"success"`), 1), nil, 1, "line"},
		"an end that was cut off":            {edit(func(all [][]byte) [][]byte { return all[:6] }), []string{"--head", headFile, "--keys", keysFile}, 1, "line 7"},
		"everything that was cut off":        {nil, []string{"--head", headFile, "--keys", keysFile}, 1, ""},
		"a head that is not ours":            {text, []string{"--head", forged, "--keys", keysFile}, 1, "head"},
		"nothing":                            {text, []string{"--head", headFile, "--keys", keysFile}, 0, "is in it"},
		"a line that a crash had broken off": {append(bytes.Clone(text), `{"seq":`...), nil, 0, "crash"},
		"an end that was cut off, and nobody kept a head, which nobody can see": {edit(func(all [][]byte) [][]byte { return all[:6] }), nil, 0, "ok"},
	} {
		t.Run("the command names "+name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "audit"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "audit", filepath.Base(segments[0])), c.log, 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := d.command(append([]string{"audit", "verify", "--data", dir}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, want %d and %q: %s", code, c.code, c.says, out)
			}
		})
	}
}
