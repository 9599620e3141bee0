//go:build linux

package master

import (
	"fmt"
	"os"
	"syscall"
)

// processGroup keeps a terminal's Ctrl-C from the workers: the master gets it
// alone, and disconnects them.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// descriptorPath names an open file to exec: /proc/self is the child there, which
// has the descriptor until exec closes it.
func descriptorPath(f *os.File, path string) string {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return path
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd())
}

func signalOf(s *os.ProcessState) os.Signal {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return nil
}
