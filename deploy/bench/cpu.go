package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpu is the time a process has spent on processors so far, in user and system
// mode. The scheduler keeps it by thread in nanoseconds; /proc/PID/stat would
// round it to hundredths of a second.
func cpu(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range threads {
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // a thread may end; Go's hardly ever do
		}
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
		}
		spent, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseInt(spent, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no /proc/PID/task/*/schedstat: bench needs Linux, and the process alive", pid)
	}
	return sum, nil
}
