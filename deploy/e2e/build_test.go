// Package e2e proves the system from outside: it builds the programs, starts
// them as an operator would, and attacks them over the network. Nothing in here
// reaches into a process.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// tag is the build tag the gateway refuses to start without.
const tag = "coraza.rule.case_sensitive_args_keys"

// bin is where the programs under test were built.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the programs with the race detector on, so that every attack is
// also a search for races, and runs the suite.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "portcullis-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	for name, pkg := range map[string]string{
		"gateway": "portcullis/gateway", "authserver": "portcullis/authserver", "hotel": "portcullis/services/cmd/hotel",
		"up": "portcullis/deploy/local",
	} {
		cmd := exec.Command("go", "build", "-race", "-tags", tag, "-o", filepath.Join(dir, name), pkg)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n", name, err)
			return 1
		}
	}
	if err := together(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// together has twice as many tests run at once as there are processors, unless
// -parallel says how many: they wait for processes to start and end, for outages
// and for limits to refill, more than they compute.
func together() error {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if told {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}
