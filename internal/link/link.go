package link

import (
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
)

// Link is one end of a link. Send may be called from any goroutine and never
// blocks; one goroutine calls Receive. A link that has nothing to do has no
// goroutine of its own and a buffer of a few kilobytes.
type Link struct {
	conn *net.UnixConn
	raw  syscall.RawConn
	in   receiver // of the goroutine that calls Receive
	out  sender

	mu   sync.Mutex    // guards err, and what out says
	err  error         // why the link has ended
	done chan struct{} // closed with err set
}

// New makes a link of one end of a unix stream socket pair. It takes fd,
// also when it fails. The caller ends the link with Close.
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
	l.in.init()
	l.out.call.f = l.out.call.try
	return l, nil
}

// Done is closed when this side has closed the link, or had to give it up. The
// death of the other side is for Receive to say.
func (l *Link) Done() <-chan struct{} { return l.done }

// Close ends the link and closes every descriptor that waits to be sent. What was
// sent and isn't flushed may be lost; what is flushed is the other side's, which
// reads it, and then io.EOF. The goroutine in Receive returns. Closing twice does
// nothing.
func (l *Link) Close() error {
	l.end(ErrClosed)
	l.out.writers.Wait()
	return nil
}

// end is the one way out: it says why, and gives up the socket.
func (l *Link) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked(why)
}

func (l *Link) endLocked(why error) {
	if l.err != nil {
		return
	}
	l.err = why
	l.out.drop(why)
	close(l.done)
	_ = l.conn.Close() // nothing is left to lose
}

// ended is why the link has ended, or otherwise.
func (l *Link) ended(otherwise error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return otherwise
}
