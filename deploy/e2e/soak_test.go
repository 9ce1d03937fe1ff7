//go:build nightly

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSoak runs three minutes of mixed traffic, some of it hostile or broken,
// while the policy is replaced every second. No good request fails, and
// goroutines and memory are at the end what they were after the first minute.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := edge(t)
	const total, warm, margin = 3 * time.Minute, time.Minute, 100 << 20
	bearer := s.as("g-7", "e2e")
	var stop atomic.Bool
	var good, refused, reloads atomic.Int64
	var running sync.WaitGroup
	for range 3 {
		client := s.newClient()
		running.Go(func() {
			for i := 0; !stop.Load(); i++ {
				a, err := s.try(client, "GET", "/e2e/echo?page="+strconv.Itoa(i), bearer, "")
				if err != nil || a.status != 200 {
					t.Errorf("a good request failed: %d %s %v", a.status, a.body, err)
					return
				}
				good.Add(1)
				a, err = s.try(client, "POST", "/e2e/echo", bearer, fmt.Sprintf(`{"n":%d,"note":"<script>alert(%d)</script>"}`, i, i))
				if err != nil || a.status != 403 {
					t.Errorf("a hostile request got %d %s %v", a.status, a.body, err)
					return
				}
				refused.Add(1)
			}
		})
	}
	running.Go(func() { // who never finishes what it sends
		for !stop.Load() {
			conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "POST /e2e/echo HTTP/1.1\r\nHost: "+host(s.gatewayURL)+"\r\nAuthorization: Bearer "+bearer+"\r\nContent-Length: 90\r\n\r\nabc")
			_ = conn.Close()
		}
	})
	running.Go(func() {
		file := filepath.Join(s.policies, "e2e.yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		for i := 0; !stop.Load(); i++ {
			s.write("e2e.yaml", fmt.Sprintf("%s# edit %d\n", data, i))
			s.gateway.signal(syscall.SIGHUP)
			reloads.Add(1)
			<-time.After(time.Second)
		}
	})
	<-time.After(warm)
	memory, goroutines := s.number("process_resident_memory_bytes"), s.number("go_goroutines")
	<-time.After(total - warm)
	stop.Store(true)
	running.Wait()
	afterMemory, afterGoroutines := s.number("process_resident_memory_bytes"), s.number("go_goroutines")
	t.Logf("%d good, %d refused, %d reloads; memory %.0f then %.0f MiB, goroutines %.0f then %.0f", good.Load(), refused.Load(), reloads.Load(), memory/(1<<20), afterMemory/(1<<20), goroutines, afterGoroutines)
	if afterMemory > memory*1.5+margin || afterGoroutines > goroutines+50 {
		t.Errorf("something grows: memory %.0f then %.0f bytes, goroutines %.0f then %.0f", memory, afterMemory, goroutines, afterGoroutines)
	}
}
