package main

import "syscall"

// ownGroup gives a child its own process group, and TERM should the supervisor
// be killed: nobody else would stop it then.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
