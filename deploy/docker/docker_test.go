// Package docker_test builds the images and runs what is in them, with Debian's
// buildah: without a daemon, a registry or a network.
package docker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portcullis/certs"
)

// nobody is the user of the images.
const nobody = 65532

// builder is buildah with a store of its own.
type builder struct {
	t   *testing.T
	dir string
	bin string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Fatalf("%v: deploy/prepare.sh installs it", err)
	}
	// Not t.TempDir: what runs as another user must be able to go through it.
	dir, err := os.MkdirTemp("", "portcullis-docker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	b := &builder{t: t, dir: dir, bin: filepath.Join(dir, "bin")}
	for program, pkg := range map[string]string{"gateway": "portcullis/gateway", "authserver": "portcullis/authserver", "hotel": "portcullis/services/cmd/hotel"} {
		// As deploy/local/build.sh builds.
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "coraza.rule.case_sensitive_args_keys", "-o", filepath.Join(b.bin, program), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", program, err, out)
		}
	}
	return b
}

func (b *builder) command(args ...string) *exec.Cmd {
	store := []string{"--root", filepath.Join(b.dir, "store"), "--runroot", filepath.Join(b.dir, "run"), "--storage-driver", "vfs"}
	cmd := exec.Command("buildah", append(store, args...)...)
	// No configuration of this machine's, and nothing that could be asked for one.
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_RUNTIME_DIR="+b.dir, "http_proxy=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1")
	return cmd
}

func (b *builder) buildah(args ...string) string {
	b.t.Helper()
	cmd := b.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("buildah %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

func TestEveryProgramIsAnImage(t *testing.T) {
	t.Parallel()
	b := newBuilder(t)
	for _, program := range []string{"gateway", "authserver", "hotel"} {
		b.buildah("bud", "--isolation", "chroot", "--pull-never", "-f", "Dockerfile", "--build-arg", "PROGRAM="+program, "-t", program, b.bin)
		var image struct {
			OCI struct {
				Config struct {
					User       string
					Entrypoint []string
				} `json:"config"`
				Rootfs struct {
					Layers []string `json:"diff_ids"`
				} `json:"rootfs"`
			} `json:"OCIv1"`
		}
		if err := json.Unmarshal([]byte(b.buildah("inspect", "--type", "image", program)), &image); err != nil {
			t.Fatal(err)
		}
		if c := image.OCI.Config; c.User != "65532:65532" || len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/program" || len(image.OCI.Rootfs.Layers) != 1 {
			t.Errorf("%s: %+v", program, image.OCI)
		}
		container := b.buildah("from", "--pull-never", program)
		if files := b.files(container); len(files) != 1 || files["program"] != 0o555 {
			t.Errorf("%s: the image holds %v, want the program alone", program, files)
		}
		if said := b.buildah("run", "--isolation", "chroot", container, "--", "/program", "--help"); !strings.Contains(said, "\n  "+program+" [command]\n") {
			t.Errorf("%s --help says %s", program, said)
		}
	}
	b.runs(b.buildah("from", "--pull-never", "hotel"))
}

// files are those of a container that has not run yet, with their permissions.
func (b *builder) files(container string) map[string]fs.FileMode {
	b.t.Helper()
	root := b.buildah("mount", container)
	defer b.buildah("umount", container)
	files := map[string]fs.FileMode{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		files[name] = info.Mode().Perm()
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// runs starts the sandbox in a container: it must be ready, belong to nobody and
// end when it is told to.
func (b *builder) runs(container string) {
	b.t.Helper()
	authority, err := certs.Dev(filepath.Join(b.dir, "certs"), time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	files, err := authority.Leaf("sandbox", time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	mounted := filepath.Join(b.dir, "mounted")
	if err := os.Mkdir(mounted, 0o755); err != nil { //nolint:gosec // for another user to read
		b.t.Fatal(err)
	}
	for from, to := range map[string]string{files.Cert: "tls.pem", files.Key: "tls.key"} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(mounted, to), data, 0o644) //nolint:gosec // a certificate of this test alone
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	ops := free(b.t)
	cmd := b.command("run", "--isolation", "chroot", "-v", mounted+":/tls:ro", container, "--", "/program", "sandbox",
		"--addr", free(b.t), "--smtp", free(b.t), "--ops", ops, "--cert", "/tls/tls.pem", "--key", "/tls/tls.key")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }() // what is left of it
	deadline := time.After(30 * time.Second)
	for {
		res, err := http.Get("http://" + ops + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case err := <-ended:
			b.t.Fatalf("it ended: %v\n%s", err, &said)
		case <-deadline:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			b.t.Fatalf("it is not ready after 30 seconds:\n%s", &said)
		case <-time.After(50 * time.Millisecond):
		}
	}
	pid, owner := b.process(ops)
	if owner == 0 || os.Getuid() == 0 && owner != nobody {
		b.t.Errorf("the process is user %d's, want %d", owner, nobody)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			b.t.Errorf("it ended with %v\n%s", err, &said)
		}
	case <-time.After(30 * time.Second):
		b.t.Error("it does not end")
	}
}

// process finds the program that was given an address, and whose it is.
func (b *builder) process(ops string) (pid, owner int) {
	b.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(line, []byte("/program\x00")) || !bytes.Contains(line, []byte(ops)) {
			continue // another, or gone meanwhile
		}
		info, err := os.Stat(filepath.Dir(file))
		if err != nil {
			b.t.Fatal(err)
		}
		pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			b.t.Fatal(err)
		}
		return pid, int(info.Sys().(*syscall.Stat_t).Uid)
	}
	b.t.Fatal("the process is not to be found")
	return 0, 0
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
}
