//go:build linux

package control

import (
	"fmt"

	"github.com/rota-go/rota/internal/wire"
	"golang.org/x/sys/unix"
)

var rightsSpace = unix.CmsgSpace(4 * wire.MaxFDs)

// rights is the control message that passes fds, which stay the caller's.
func rights(fds []*FD) ([]byte, error) {
	ints := make([]int, len(fds))
	for i, f := range fds {
		if ints[i] = f.Int(); ints[i] < 0 {
			return nil, fmt.Errorf("descriptor %d of %d: %w", i, len(fds), unix.EBADF)
		}
	}
	return unix.UnixRights(ints...), nil
}

// parseRights returns the descriptors in a control message. They came
// close-on-exec (ReadMsgUnix asks for it). Where some were cut off, it closes
// those that came: the count is lost, and with it the link.
func parseRights(oob []byte, flags int) ([]*FD, error) {
	if len(oob) == 0 && flags&unix.MSG_CTRUNC == 0 {
		return nil, nil
	}
	var fds []*FD
	messages, err := unix.ParseSocketControlMessage(oob)
	for _, m := range messages {
		ints, rerr := unix.ParseUnixRights(&m)
		if rerr != nil {
			err = rerr
		}
		for _, n := range ints {
			fds = append(fds, NewFD(n))
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("%w: some were cut off", wire.ErrDescriptors)
	}
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	return fds, nil
}
