//go:build linux

package link

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// inherit makes a link of descriptor n. The number came from the environment, so n is
// checked first; n is owned by the link only if it is a unix stream socket.
func inherit(n int) (*Link, error) {
	if err := checkLink(n); err != nil {
		return nil, err
	}
	return New(descriptor.New(n)) // the link's own duplicate is close-on-exec and non-blocking
}

// makerGone is how long a process whose parent has not made its link waits for the link's
// end. The maker's end closes with the maker, or at the latest when a process that the maker
// was starting meanwhile has executed its program.
const makerGone = 100 // ms

// isForThis reports whether the process that has made the socket pair of descriptor n has
// started this process, or is gone. Both pids are those that this process's PID namespace
// has; they are 0 if the maker is outside.
func isForThis(n int) bool {
	if checkLink(n) != nil {
		return true // inherit says so
	}
	maker, err := unix.GetsockoptUcred(n, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || int(maker.Pid) == os.Getppid() {
		return true
	}
	return hasEnded(n, makerGone)
}

// hasEnded reports whether the other end of descriptor n is closed within some milliseconds.
func hasEnded(n, within int) bool {
	poll := []unix.PollFd{{Fd: int32(n)}} // POLLHUP is always reported
	for {
		_, err := unix.Poll(poll, within)
		if err != unix.EINTR {
			return poll[0].Revents&unix.POLLHUP != 0
		}
	}
}

func checkLink(n int) error {
	var is [3]int
	for i, option := range []int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_ACCEPTCONN} {
		v, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, option)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		is[i] = v
	}
	switch {
	case is[0] != unix.AF_UNIX || is[1] != unix.SOCK_STREAM:
		return fmt.Errorf("a socket of domain %d and type %d", is[0], is[1])
	case is[2] != 0:
		return errors.New("a socket that listens")
	}
	return nil
}
