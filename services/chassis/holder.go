package chassis

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// stateListen is TCP_LISTEN in the st column of /proc/net/tcp.
const stateListen = "0A"

// holder names the process that listens on port, as "nginx (process 812)". It
// reads Linux's /proc and is false where that does not tell: on another system,
// or when the process belongs to somebody else.
func holder(port string) (string, bool) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return "", false
	}
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		listening(f, number, inodes)
		f.Close()
	}
	if len(inodes) == 0 {
		return "", false
	}
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return "", false
	}
	for _, path := range descriptors {
		target, err := os.Readlink(path)
		if err != nil || !inodes[target] {
			continue
		}
		pid := strings.Split(path, "/")[2]
		name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if err != nil {
			return "process " + pid, true
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid), true
	}
	return "", false
}

// listening adds the sockets of table, in the format of /proc/net/tcp, that
// listen on port, written as links in /proc/PID/fd name them: "socket:[1234]".
func listening(table io.Reader, port int, inodes map[string]bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != stateListen {
			continue
		}
		_, hex, found := strings.Cut(fields[1], ":")
		local, err := strconv.ParseUint(hex, 16, 16)
		if found && err == nil && int(local) == port {
			inodes["socket:["+fields[9]+"]"] = true
		}
	}
}
