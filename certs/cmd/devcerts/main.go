// Command devcerts makes a development authority and certificates for the
// services named:
//
//	devcerts -dir certs/dev gateway authserver search reservations
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"portcullis/certs"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run makes what args ask for and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("devcerts", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "certs/dev", "folder for the authority and the certificates")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: devcerts [-dir DIR] NAME...")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	now := time.Now()
	authority, err := certs.Dev(*dir, now)
	if err != nil {
		fmt.Fprintln(stderr, "devcerts:", err)
		return 1
	}
	fmt.Fprintln(stdout, "authority  ", authority.CA())
	for _, name := range flags.Args() {
		files, err := authority.Leaf(name, now)
		if err != nil {
			fmt.Fprintln(stderr, "devcerts:", err)
			return 1
		}
		fmt.Fprintln(stdout, "certificate", files.Cert)
	}
	return 0
}
