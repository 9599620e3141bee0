//go:build linux

package sharedsocket

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// awaitShutdown is AwaitShutdown. It waits in an epoll of its own, which datagrams don't wake.
func awaitShutdown(s syscall.Conn, stop <-chan struct{}) bool {
	events, err := watchShutdown(s)
	if err != nil {
		return false
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-stop:
		case <-ended:
		}
		_ = events.Close() // nothing was written to it
	}()
	raw, err := events.SyscallConn()
	return err == nil && raw.Read(isShutdown) == nil
}

// watchShutdown returns an epoll that has s, which the caller closes.
func watchShutdown(s syscall.Conn) (*os.File, error) {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	raw, err := s.SyscallConn()
	if err == nil {
		err = unix.SetNonblock(n, true)
	}
	if err == nil {
		cerr := raw.Control(func(fd uintptr) {
			err = unix.EpollCtl(n, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLET})
		})
		if cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		_ = unix.Close(n)
		return nil, err
	}
	return os.NewFile(uintptr(n), "epoll"), nil
}

// isShutdown reports whether the socket of an epoll was shut down. An error of the socket is not that.
func isShutdown(epoll uintptr) bool {
	var events [1]unix.EpollEvent
	n, err := unix.EpollWait(int(epoll), events[:], 0)
	return err == nil && n == 1 && events[0].Events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0
}

func tellShutdown(s syscall.Conn) {
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if descriptor.IsShutForWriting(int(fd)) {
			_ = unix.Shutdown(int(fd), unix.SHUT_RD) // ENOTCONN says that of UDP, and it takes effect
		}
	})
}
