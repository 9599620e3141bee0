//go:build linux

package spread

import (
	"errors"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// Sentry waits until a connection comes to one of some sockets. Each of them reports once,
// until it is armed again: a master that slept in accept's wait queue as its workers do would
// be woken for each connection.
type Sentry struct {
	epoll *os.File
	raw   syscall.RawConn
}

// NewSentry returns a Sentry for no socket. The caller closes it.
func NewSentry() (*Sentry, error) {
	epoll, raw, err := descriptor.NewEpoll()
	if err != nil {
		return nil, err
	}
	return &Sentry{epoll, raw}, nil
}

// Arm has socket fd report id once, of which 31 bits count. A socket where a connection waits
// already reports at once. One that is closed is forgotten.
func (s *Sentry) Arm(fd, id int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(id & math.MaxInt32)}
	return s.control(func(epoll int) error {
		err := unix.EpollCtl(epoll, unix.EPOLL_CTL_MOD, fd, &event)
		if errors.Is(err, unix.ENOENT) {
			err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event)
		}
		return os.NewSyscallError("epoll_ctl", err)
	})
}

// Forget removes socket fd, which its owner is about to close: other processes may have the
// socket, and then it would report without end.
func (s *Sentry) Forget(fd int) {
	_ = s.control(func(epoll int) error { return unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, fd, nil) }) // it may not be there
}

func (s *Sentry) control(f func(epoll int) error) (err error) {
	if cerr := s.raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return ErrClosed
	}
	return err
}

// Wait blocks until a socket has reported, and returns its id, or until Close, and returns
// ErrClosed then.
func (s *Sentry) Wait() (id int, err error) {
	var event [1]unix.EpollEvent
	err = s.raw.Read(func(fd uintptr) bool {
		n, _ := unix.EpollWait(int(fd), event[:], 0)
		return n > 0
	})
	if err != nil {
		return 0, ErrClosed
	}
	return int(event[0].Fd), nil
}

// Close ends Wait.
func (s *Sentry) Close() { _ = s.epoll.Close() } // nothing is written to it
