package control

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// short is a folder whose name leaves room for that of a socket.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestTheSocketIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "s")
	l, err := listen(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	taken, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = taken.Close()
}

func TestOneUserAndRootAreAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		uid, own int
		want     bool
	}{{1000, 1000, true}, {0, 1000, true}, {0, 0, true}, {1001, 1000, false}, {1000, 0, false}, {-1, 1000, false}} {
		if allowed(c.uid, c.own) != c.want {
			t.Errorf("user %d of a gateway of %d: want %v", c.uid, c.own, c.want)
		}
	}
}

func TestThePeerIsWhoConnected(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(short(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	taken, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if uid, err := peer(taken); err != nil || uid != os.Geteuid() {
		t.Errorf("%d, %v", uid, err)
	}
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if uid, err := peer(one); err == nil && uid != os.Geteuid() {
		t.Errorf("a pipe's user is %d", uid)
	}
}

func TestASocketOfTheDeadIsReplacedAndOneOfTheLivingIsNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	living, err := listen(path, quiet())
	if err != nil {
		t.Fatalf("what a crash left behind stands in the way: %v", err)
	}
	go func() { // as a server would
		for {
			conn, err := living.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	if _, err := listen(path, quiet()); err == nil || !strings.Contains(err.Error(), "listens on the control socket") {
		t.Errorf("a second gateway took the socket: %v", err)
	}
	conn, err := net.DialTimeout("unix", path, time.Minute)
	if err != nil {
		t.Fatalf("the first has lost its socket: %v", err)
	}
	_ = conn.Close()
	_ = living.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("it is left behind: %v", err)
	}
}

func TestASocketIsMadeWhereItIsSafe(t *testing.T) {
	t.Parallel()
	open, file, shared := short(t), filepath.Join(short(t), "file"), short(t)
	if err := os.Chmod(shared, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(open, "s"):              "others may write",
		filepath.Join(shared, "s"):            "others may write",
		file:                                  "not a socket",
		filepath.Join(open, "nowhere", "s"):   "the folder of the control socket",
		"/tmp/" + strings.Repeat("long/", 30): "107 is the most",
	} {
		if _, err := listen(path, quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "somebody's" {
		t.Errorf("the file is now %q, %v", text, err)
	}
	if err := os.Chmod(open, os.ModeSticky|0o777); err != nil { // as /tmp is
		t.Fatal(err)
	}
	l, err := listen(filepath.Join(open, "s"), quiet())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
