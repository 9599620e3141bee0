//go:build linux

package master

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttr makes a worker who it is to be, and keeps a terminal's Ctrl-C from it:
// the master gets that alone, and disconnects the workers.
func processAttr(as *identity) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid, Groups: as.groups}
	}
	return attr
}

// descriptorPath names an open file to exec: /proc/self is the child there, which
// has the descriptor until exec closes it.
func descriptorPath(f *os.File, path string) string {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return path
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd())
}

// openDirectory needs no right to read it.
func openDirectory(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY, 0)
}

func signalOf(s *os.ProcessState) os.Signal {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return nil
}
