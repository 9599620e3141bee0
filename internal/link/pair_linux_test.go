//go:build linux

package link

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Both ends are close-on-exec: only exec.Cmd.ExtraFiles passes the worker's end on.
func TestPairFlags(t *testing.T) {
	noneLeft(t)
	link, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	defer end.Close()
	raw, err := end.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, control := range map[string]func(func(uintptr)) error{"master's": link.raw.Control, "worker's": raw.Control} {
		if err := control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("the %s end, descriptor %s, is not close-on-exec", name, strconv.Itoa(int(fd)))
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}
