package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// block is a fenced shell block of a document, and the output that the
// document promises below it, if it does.
type block struct {
	file, kind, code, want string
	line                   int
}

// blocks reads the shell blocks of a document. The kind is what follows "sh"
// on the fence: none for a block that is run as it stands.
func blocks(t *testing.T, file string) []block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	fence, start := "", 0
	var text strings.Builder
	for i, line := range strings.Split(string(data), "\n") {
		info, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && fence == "" && info != "":
			fence, start = info, i+1
			text.Reset()
		case isFence && fence == "":
			fence, start = "plain", i+1
		case isFence:
			if kind, ok := strings.CutPrefix(fence, "sh"); ok {
				all = append(all, block{file: file, kind: strings.TrimSpace(kind), code: text.String(), line: start})
			} else if fence == "text" && len(all) > 0 {
				all[len(all)-1].want = text.String()
			}
			fence = ""
		case fence != "":
			text.WriteString(line + "\n")
		}
	}
	return all
}

// TestEveryShellBlockOfTheDocuments starts the system with `make run` in a fresh
// copy of the tree, as a newcomer would, and types what the documents say.
func TestEveryShellBlockOfTheDocuments(t *testing.T) {
	t.Parallel()
	dir := copyTree(t)
	clone(t, dir)
	base := freeBase(t, 21000)
	up := exec.Command("make", "run")
	up.Dir = dir
	up.Env = append(os.Environ(), fmt.Sprintf("PORT_BASE=%d", base))
	up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	log := filepath.Join(t.TempDir(), "make-run.log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	up.Stdout, up.Stderr = out, out
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close() // the child has its own
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-up.Process.Pid, syscall.SIGKILL) }) // whatever is left of it
	said := func() string {
		text, err := os.ReadFile(log)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	until(t, "make run is up", 8*time.Minute, func() bool {
		select {
		case err := <-ended:
			t.Fatalf("make run ended: %v\n%s", err, said())
		default:
		}
		_, err := os.Stat(filepath.Join(dir, ".run", "env"))
		return err == nil
	})
	until(t, "the screen is shown", 5*time.Second, func() bool { return strings.Contains(said(), "Ctrl-C") })

	for _, file := range documents(t) {
		runBlocks(t, dir, blocks(t, file))
	}
	runScreen(t, dir, said())

	// A terminal's Ctrl-C reaches the whole foreground group.
	if err := syscall.Kill(-up.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("make run does not end:\n%s", said())
	}
	for _, name := range append([]string{"gateway", "authserver", "sandbox"}, houseServices...) {
		if !strings.Contains(said(), "stopping "+name) {
			t.Errorf("that %s stops was not said:\n%s", name, said())
		}
	}
	screen := regexp.MustCompile(`(?m)^Portcullis is up after ([0-9.]+) s\.$`).FindStringSubmatch(said())
	if screen == nil {
		t.Fatalf("the screen does not say how long it took:\n%s", said())
	}
	if took, err := strconv.ParseFloat(screen[1], 64); err != nil || took > upWithin.Seconds() {
		t.Errorf("after the build it took %s s until all was ready, want %s at most", screen[1], upWithin)
	}
	t.Logf("after the build it took %s s until all was ready", screen[1])
	for what, address := range map[string]string{"booking": fmt.Sprintf("https://localhost:%d/", base+443), "inbox": fmt.Sprintf("https://localhost:%d/", base+1107)} {
		if !regexp.MustCompile(`(?m)^ +` + what + ` +` + address).MatchString(said()) {
			t.Errorf("the screen does not give the address %s of %s:\n%s", address, what, said())
		}
	}
}

// documents are all that this project tells people in Markdown.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range tracked(t) {
		if strings.HasSuffix(f, ".md") {
			all = append(all, f)
		}
	}
	if !slices.Contains(all, "README.md") || !slices.Contains(all, "policies/README.md") {
		t.Fatalf("the documents are not all there: %q", all)
	}
	return all
}

// runBlocks types a document into one shell and compares what it promises.
func runBlocks(t *testing.T, dir string, all []block) {
	t.Helper()
	const marker = "--- end of block ---"
	var script strings.Builder
	var typed []block
	for _, b := range all {
		switch b.kind {
		case "":
			typed = append(typed, b)
			script.WriteString(b.code + "echo; echo '" + marker + "'\n")
		case "run": // this very test runs it
			if b.code != "make run\n" {
				t.Errorf("%s:%d: this test runs `make run`, not %q", b.file, b.line, b.code)
			}
		case "test": // CI runs it, which is how this test runs
			ci, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
			if err != nil || !strings.Contains(string(ci), "\nexec "+b.code) {
				t.Errorf("%s:%d: .ci/run does not call %q: %v", b.file, b.line, b.code, err)
			}
		default:
			t.Errorf("%s:%d: a block of kind %q is run by nobody", b.file, b.line, b.kind)
		}
	}
	if len(typed) == 0 {
		return
	}
	shell := exec.Command("bash", "-eu")
	shell.Dir = dir
	shell.Stdin = strings.NewReader(script.String())
	out, err := shell.CombinedOutput()
	parts := strings.Split(string(out), "\n"+marker+"\n")
	if err != nil || len(parts) != len(typed)+1 {
		t.Errorf("%s: block %d of %d failed (%v); the shell said:\n%s", typed[0].file, len(parts), len(typed), err, out)
		return
	}
	for i, b := range typed {
		if b.want != "" && parts[i] != b.want {
			t.Errorf("%s:%d: the document promises\n%sand the shell says\n%s", b.file, b.line, b.want, parts[i])
		}
	}
}

// runScreen runs the four commands that `make run` prints, as they stand.
func runScreen(t *testing.T, dir, screen string) {
	t.Helper()
	commands := regexp.MustCompile(`(?m)^# (.+)\n(\. .+)$`).FindAllStringSubmatch(screen, -1)
	wants := []string{`"hotels":[{`, "HTTP/2 401", "HTTP/2 403", "200 429"}
	if len(commands) != len(wants) {
		t.Fatalf("the screen shows %d commands, want %d:\n%s", len(commands), len(wants), screen)
	}
	for i, want := range wants {
		<-time.After(2 * time.Second) // the demo client's limit refills in real time
		shell := exec.Command("bash", "-c", commands[i][2])
		shell.Dir = dir
		out, err := shell.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %q in:\n%s", commands[i][1], err, want, out)
		}
	}
}

// TestSecurityNamesTestsThatExist holds SECURITY.md to its word.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(source), -1) {
			declared[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(data), -1)
	if len(named) < 10 {
		t.Fatalf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !declared[m[1]] {
			t.Errorf("SECURITY.md names %s, which does not exist", m[1])
		}
	}
}

// TestArchitectureQuotesTheImportTable holds the document to the table.
func TestArchitectureQuotesTheImportTable(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(imports) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(string(data), "\n"+line+"\n") {
			t.Errorf("ARCHITECTURE.md does not quote %q", line)
		}
	}
}

// tracked are the files of the tree, new ones included, without what git ignores.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// copyTree copies the tree to a folder with nothing else in it.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range tracked(t) {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(from, to, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clone makes a copied tree what git clone would leave behind, as far as git
// itself can tell.
func clone(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message=all"},
		{"update-ref", "refs/remotes/origin/main", "HEAD"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// freeBase finds a PORT_BASE, from one on, whose ports are free.
func freeBase(t *testing.T, from int) int {
	t.Helper()
	offsets := []int{443, 444, 1125, 1901, 1902}
	for offset := 1101; offset <= 1117; offset++ {
		offsets = append(offsets, offset)
	}
	for base := from; base < 60000; base += 2000 {
		free := true
		for _, offset := range offsets {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return base
		}
	}
	t.Fatal("no free range of ports")
	return 0
}
