package link

import (
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// Link is one end of a link. Send may be called from any goroutine and never blocks. Only
// one goroutine calls Receive. An idle link has no goroutine of its own, and a buffer of a
// few kilobytes.
type Link struct {
	conn *net.UnixConn
	raw  syscall.RawConn
	in   receiver // of the goroutine that calls Receive
	out  sender

	discard descriptor.Discarder // closes descriptors that are not the caller's

	mu    sync.Mutex     // guards err and the fields of out that say so
	err   error          // why the link is closed; nil: it is open
	done  chan struct{}  // closed when err is set
	users sync.WaitGroup // goroutines that use conn; none begins when err is set
}

// longAgo is a deadline that ends what a goroutine does with a conn.
var longAgo = time.Unix(1, 0)

// New makes a link of one end of a unix stream socketpair. It owns fd, also when it fails.
// The caller closes the link.
func New(fd *descriptor.FD) (*Link, error) {
	conn, err := fd.UnixConn()
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("link: %w", err)
	}
	l := &Link{conn: conn, raw: raw, done: make(chan struct{})}
	l.in.discard, l.out.discard = &l.discard, &l.discard
	l.in.init()
	l.out.call.f = l.out.call.try
	return l, nil
}

// Done returns a channel that is closed when this side has closed the link, or an error
// has closed it. The death of the other side is reported by Receive.
func (l *Link) Done() <-chan struct{} { return l.done }

// Close closes the link and every descriptor that waits to be sent. Frames that were not
// flushed may be lost. The other side reads what was flushed, and then io.EOF. Receive
// returns. Close doesn't wait until the system has closed them; see closeConn. Calling Close
// again does nothing.
func (l *Link) Close() error {
	l.closeFor(ErrClosed)
	l.out.writers.Wait()
	return nil
}

// closeFor closes the link and records why. Only the first reason counts.
func (l *Link) closeFor(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked(why)
}

func (l *Link) closeLocked(why error) {
	if l.err != nil {
		return
	}
	l.err = why
	l.out.drop(why)
	close(l.done)
	_ = l.conn.CloseWrite()         // for the other side, also if another process has this end open
	_ = l.conn.SetDeadline(longAgo) // can't fail: it is open
	go l.closeConn()
}

// closeConn closes the conn, when nobody uses it any more. close(2) of a socket closes the
// descriptors in it that were not received, and so may block as a Discarder may: neither the
// caller of Close nor the goroutine that reads the link may be the one that calls it.
func (l *Link) closeConn() {
	l.users.Wait()
	_ = l.conn.Close() // nothing waits to be written any more
}

// use says that the caller uses conn until it calls users.Done. It fails if the link is
// closed.
func (l *Link) use() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.users.Add(1)
	}
	return l.err
}

// CloseRead ends what can be received: Receive returns what has come, and then io.EOF. It is
// for when the process at the other side has ended: another may have that end open.
func (l *Link) CloseRead() error { return l.conn.CloseRead() }

// closeReason returns why the link is closed, or otherwise if it is open.
func (l *Link) closeReason(otherwise error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return otherwise
}
