package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// configMap is a folder as the kubelet keeps one (AtomicWriter in
// k8s.io/kubernetes/pkg/volume/util): files are links into ..data, which is a link
// to a folder named for the time, and is replaced by a rename.
type configMap struct {
	t     *testing.T
	dir   string
	swaps int
}

// put makes files what the folder holds, in the kubelet's order.
func (c *configMap) put(files map[string]string) {
	c.t.Helper()
	check := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
	}
	c.swaps++
	data := filepath.Join(c.dir, "..data")
	was, _ := os.Readlink(data) // none the first time
	// 1. the payload, in a folder of its own
	now := time.Now().UTC().Format("..2006_01_02_15_04_05.") + strconv.Itoa(c.swaps)
	check(os.Mkdir(filepath.Join(c.dir, now), 0o700))
	for name, text := range files {
		check(os.WriteFile(filepath.Join(c.dir, now, name), []byte(text), 0o600))
	}
	// 2. the swap
	check(os.Symlink(now, data+"_tmp"))
	check(os.Rename(data+"_tmp", data))
	// 3. links of files that are new, and of those that are gone
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(c.dir, name)); err != nil && !os.IsExist(err) {
			check(err)
		}
	}
	entries, err := os.ReadDir(c.dir)
	check(err)
	for _, e := range entries {
		if _, has := files[e.Name()]; !has && !strings.HasPrefix(e.Name(), "..") {
			check(os.Remove(filepath.Join(c.dir, e.Name())))
		}
	}
	// 4. the payload before
	if was != "" {
		check(os.RemoveAll(filepath.Join(c.dir, was)))
	}
}

// TestAConfigMapIsSwappedAsKubernetesDoes: each swap comes into force by itself
// and whole, a broken one changes nothing, and no request fails meanwhile.
func TestAConfigMapIsSwappedAsKubernetesDoes(t *testing.T) {
	t.Parallel()
	const common = "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: backend, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n"
	s := lone(t, nil)
	c := &configMap{t: t, dir: s.policies}
	always := routes("always: GET /always, upstream: backend, " + openly)
	c.put(map[string]string{"gateway.yaml": common, "always.yaml": always})
	s.startGateway()

	var over atomic.Bool
	var load sync.WaitGroup
	load.Go(func() {
		client := s.newClient()
		for !over.Load() {
			if a, err := s.try(client, "GET", "/always", "", ""); err != nil || a.status != 200 {
				t.Errorf("a request failed: %d %s %v", a.status, a.body, err)
				return
			}
		}
	})
	defer load.Wait()
	defer over.Store(true)
	for i := range 3 {
		path := fmt.Sprintf("/swap/%d", i)
		c.put(map[string]string{"gateway.yaml": common, "always.yaml": always, fmt.Sprintf("swap%d.yaml", i%2): routes("swap: GET " + path + ", upstream: backend, " + openly)})
		until(t, "swap "+strconv.Itoa(i)+" is in force", 10*time.Second, func() bool { return s.send("GET", path, "", "").status == 200 })
		if a := s.send("GET", fmt.Sprintf("/swap/%d", i-1), "", ""); a.status != 404 {
			t.Errorf("what the swap before served still gets %d", a.status)
		}
	}
	before := s.version().Policy
	if before.Error != "" || before.Why != "files changed" {
		t.Errorf("after good swaps /status says %+v", before)
	}
	if failed := s.metric(`portcullis_policy_reloads_total{result="failure"}`); failed != "" && failed != "0" {
		t.Errorf("%s reloads of half a swap failed", failed)
	}
	c.put(map[string]string{"gateway.yaml": common, "always.yaml": strings.Replace(always, "match", "mach", 1)})
	until(t, "the broken swap is refused", 10*time.Second, func() bool { return s.version().Policy.Error != "" })
	if after := s.version().Policy; after.Version != before.Version || !strings.Contains(after.Error, "always.yaml:3:") {
		t.Errorf("after a broken swap /status says %+v", after)
	}
	c.put(map[string]string{"gateway.yaml": common, "always.yaml": always})
	until(t, "the mended swap is taken", 10*time.Second, func() bool { return s.version().Policy.Error == "" })
}
