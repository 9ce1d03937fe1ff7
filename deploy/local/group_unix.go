//go:build unix && !linux

package main

import "syscall"

// ownGroup gives a child its own process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
