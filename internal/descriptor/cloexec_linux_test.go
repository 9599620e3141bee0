//go:build linux

package descriptor

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A socket that listens is kept from children; what else is inherited is the program's
// business.
func TestCloseListenersOnExec(t *testing.T) {
	for _, listens := range []bool{true, false} {
		n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(n)
		if listens {
			if err := unix.Bind(n, &unix.SockaddrUnix{Name: ""}); err != nil {
				t.Fatal(err)
			}
			if err := unix.Listen(n, 1); err != nil {
				t.Fatal(err)
			}
		}
		CloseListenersOnExec()
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 != listens {
			t.Errorf("listens %v: flags %#x, %v", listens, flags, err)
		}
	}
}
