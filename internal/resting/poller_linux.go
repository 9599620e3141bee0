//go:build linux

package resting

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// poller waits for the clients of many sockets. It is an epoll instance that the runtime's poller
// watches.
type poller struct {
	file   *os.File
	raw    syscall.RawConn // of file
	fd     int             // of file
	events [128]unix.EpollEvent
	ready  []int
}

func newPoller() (*poller, error) {
	file, raw, err := descriptor.NewEpoll()
	if err != nil {
		return nil, err
	}
	p := &poller{file: file, raw: raw}
	_ = raw.Control(func(fd uintptr) { p.fd = int(fd) }) // it is open
	return p, nil
}

// add has wait return fd when its client sends, or ends.
func (p *poller) add(fd int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)})
}

func (p *poller) remove(fd int) {
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) // fails for none that was added
}

// wait returns descriptors whose clients have sent or ended, or os.ErrDeadlineExceeded at the time of wakeIn.
// One goroutine calls it, and uses the result before the next call.
func (p *poller) wait() ([]int, error) {
	n := 0
	if err := p.raw.Read(func(uintptr) bool {
		n, _ = unix.EpollWait(p.fd, p.events[:], 0)
		return n > 0
	}); err != nil {
		return nil, err
	}
	p.ready = p.ready[:0]
	for _, e := range p.events[:n] {
		p.ready = append(p.ready, int(e.Fd))
	}
	return p.ready, nil
}

// wakeIn has wait fail after a time, until wakeNever.
func (p *poller) wakeIn(d time.Duration) { _ = p.file.SetReadDeadline(time.Now().Add(d)) } // fails if it is closed
func (p *poller) wakeNever()             { _ = p.file.SetReadDeadline(time.Time{}) }

func (p *poller) close() { _ = p.file.Close() }

// hasEnded reports whether the client of a socket has ended its side, and has sent nothing before.
func hasEnded(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR
}
