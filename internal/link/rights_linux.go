//go:build linux

package link

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

var rightsSpace = unix.CmsgSpace(4 * wire.MaxFDs)

// sendmsg writes as much of b as the kernel takes without blocking, and fds with its first
// byte. fds stay the caller's.
func sendmsg(fd int, b []byte, fds []*descriptor.FD) (n int, err error) {
	var oob []byte
	if len(fds) > 0 {
		if oob, err = rights(fds); err != nil {
			return 0, err
		}
	}
	for {
		n, err = unix.SendmsgN(fd, b, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return n, sysErr("sendmsg", err)
		}
	}
}

// recvmsg reads what has come, without blocking. n is 0 at the end of the stream. The
// descriptors are close-on-exec, and the caller's.
func recvmsg(fd int, b, oob []byte) (n int, fds []*descriptor.FD, err error) {
	var oobn, flags int
	for {
		n, oobn, flags, _, err = unix.Recvmsg(fd, b, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, nil, sysErr("recvmsg", err)
	}
	fds, err = parseRights(oob[:oobn], flags)
	return n, fds, err
}

// arrived reports whether there is something to read.
func arrived(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	return err != nil || n > 0
}

// yield lets other processes run.
func yield() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// sysErr adds the name of the call to err. EAGAIN stays as it is.
func sysErr(call string, err error) error {
	if err == nil || err == unix.EAGAIN {
		return err
	}
	return os.NewSyscallError(call, err)
}

// isAgain reports whether a call would have blocked.
func isAgain(err error) bool { return err == unix.EAGAIN }

// isReset reports whether the other side is gone and has left something unread.
func isReset(err error) bool { return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) }

// rights returns the control message that passes fds on. fds stay the caller's.
func rights(fds []*descriptor.FD) ([]byte, error) {
	ints := make([]int, len(fds))
	for i, f := range fds {
		if ints[i] = f.Int(); ints[i] < 0 {
			return nil, fmt.Errorf("descriptor %d of %d: %w", i+1, len(fds), unix.EBADF)
		}
	}
	return unix.UnixRights(ints...), nil
}

// parseRights returns the descriptors in a control message. If some were cut off it fails, and
// returns the others: they can't be assigned to frames any more.
func parseRights(oob []byte, flags int) ([]*descriptor.FD, error) {
	if len(oob) == 0 && flags&unix.MSG_CTRUNC == 0 {
		return nil, nil
	}
	fds, err := descriptor.FromRights(oob)
	if err != nil {
		err = fmt.Errorf("%w: %w", wire.ErrDescriptors, err)
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("%w: some were cut off", wire.ErrDescriptors)
	}
	return fds, err
}
