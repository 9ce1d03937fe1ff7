package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxSecretFile is more than any secret of a policy may have, which the compiler
// bounds; a file that grows meanwhile, or a device, costs no more than this.
const maxSecretFile = 16 << 10

// readSecret reads the file of a ${file:PATH} in a policy.
func readSecret(path string) (string, error) {
	// Without waiting: a pipe that nobody writes to would hold up every reload.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	return string(text), err
}
