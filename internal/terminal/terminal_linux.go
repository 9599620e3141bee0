//go:build linux

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

func open() *os.File {
	f, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // there is none, or no /dev
	}
	return f
}

// control calls f with the descriptor, and reports whether it is open.
func (t *Terminal) control(f func(fd int)) bool {
	raw, err := t.file.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

// inBackground compares process groups. It is false for a terminal that is closed.
func (t *Terminal) inBackground() (yes bool) {
	t.control(func(fd int) {
		foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		yes = err == nil && foreground != unix.Getpgrp()
	})
	return yes
}

func (t *Terminal) isClosed() (yes bool) {
	t.control(func(fd int) { yes = isHungUp(fd) })
	return yes
}

// awaitClosed waits until the terminal is closed. It fails when Close was called. It wakes
// up when there is input, which it leaves alone.
func (t *Terminal) awaitClosed() error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return isHungUp(int(fd)) })
}

func isHungUp(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP is always reported
	_, err := unix.Poll(poll, 0)
	return err == nil && poll[0].Revents&unix.POLLHUP != 0
}
