//go:build linux

package process

import (
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/account"
)

// processAttr gives a worker its user, and a session of its own, which has no terminal: Ctrl-C
// must reach only the master, which then disconnects the workers; a worker that writes to the
// terminal must not be stopped as a background job; and one of another user must not type
// into it (TIOCSTI).
func processAttr(user *account.Account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Credential: user.Credential()}
}

// signalOf returns the signal that killed a process, or nil.
func signalOf(s *os.ProcessState) os.Signal {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return nil
}
