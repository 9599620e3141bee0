//go:build linux

package account

import (
	"fmt"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/thread"
)

// Credential returns what a process of the account is to be started with, or nil if it is
// started as this process is.
func (a *Account) Credential() *syscall.Credential {
	if a == nil || a.own {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
}

// threads are what confined processes are started from. There is one for each Confine, made
// at the first start.
var threads = sync.OnceValue(func() map[Confine]*thread.Pool {
	all := map[Confine]*thread.Pool{}
	for _, c := range []Confine{{NoNewPrivs: true}, {NoCapabilities: true}, {true, true}} {
		all[c] = &thread.Pool{Prepare: c.confine, Max: 1}
	}
	return all
})

func (c Confine) onThread(start func() error) error { return threads()[c].Do(start) }

// confine confines the calling thread. Its ambient capabilities are those that a process of
// another user than root keeps when it executes a file without capabilities.
func (c Confine) confine() error {
	if c.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
		}
	}
	if c.NoCapabilities {
		err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
		if err != nil && err != unix.EINVAL { // EINVAL: before Linux 4.3, which has none
			return fmt.Errorf("PR_CAP_AMBIENT_CLEAR_ALL: %w", err)
		}
	}
	return nil
}
