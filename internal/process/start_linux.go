//go:build linux

package process

import (
	"os"
	"syscall"
)

// processAttr gives a worker its user, and a process group of its own: Ctrl-C in a
// terminal must reach only the master, which then disconnects the workers.
func processAttr(user *credential) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid, Groups: user.groups}
	}
	return attr
}

// signalOf returns the signal that killed a process, or nil.
func signalOf(s *os.ProcessState) os.Signal {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return nil
}
