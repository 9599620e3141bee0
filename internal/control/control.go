// Package control is the link of a master and a worker: one unix socketpair a
// worker, frames of package wire on it, and descriptors beside them. Both ends
// use it; it knows nothing of what the frames mean.
//
// The death of the other side is EOF on the link, and EOF is the only sign of
// death: nobody polls, asks for its parent's pid, or sends heartbeats.
package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/rota-go/rota/internal/wire"
)

const (
	// MaxQueue bounds what waits to be written to a link, in bytes, before
	// [Link.Send] refuses a frame that may be refused.
	MaxQueue = 4 << 20
	// hardQueue ends a link whose other side never reads, whatever is waiting.
	hardQueue = 64 << 20
)

var (
	// ErrClosed is in every error of a link that has ended.
	ErrClosed = errors.New("link is closed")
	// ErrQueueFull says that the other side doesn't read fast enough.
	ErrQueueFull = errors.New("queue is full")
)

// Packet is a frame and the descriptors that came with it, which are the
// receiver's to close.
type Packet struct {
	wire.Frame
	Files []*FD
}

// Close closes the descriptors of p.
func (p Packet) Close() { closeAll(p.Files) }

// Link is one end of a link. Send may be called from any goroutine and never
// blocks; one goroutine calls Receive.
type Link struct {
	conn *net.UnixConn
	dec  wire.Decoder
	fds  []*FD // came, and wait for their frame
	oob  []byte

	mu      sync.Mutex
	queue   []segment
	queued  int           // bytes in queue, and in the write under way
	wake    chan struct{} // capacity 1: the writer has something to do
	flushed chan struct{} // closed when queue is empty; nil when nobody waits
	err     error         // why the link has ended

	halfClosed bool // by CloseWrite

	done    chan struct{} // closed with err set
	written chan struct{} // the writer has returned
}

// segment is what one sendmsg writes: frames, the first of which owns fds.
type segment struct {
	bytes []byte
	fds   []*FD
}

// NewLink makes a link of one end of a unix stream socket pair. It takes fd,
// also when it fails. The caller ends the link with Close.
func NewLink(fd *FD) (*Link, error) {
	conn, err := fd.unixConn()
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	l := &Link{
		conn:    conn,
		oob:     make([]byte, rightsSpace),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		written: make(chan struct{}),
	}
	go l.write()
	return l, nil
}

// Send queues a frame. It owns files from here on, also when it fails: they are
// closed when they are sent or the link ends. A Message is refused with
// ErrQueueFull when too much waits.
func (l *Link) Send(f wire.Frame, files ...*FD) error {
	f.FDs = len(files)
	err := l.enqueue(f, files)
	if err != nil {
		closeAll(files)
		return fmt.Errorf("send %v: %w", f.Type, err)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

func (l *Link) enqueue(f wire.Frame, files []*FD) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return l.err
	case l.halfClosed:
		return ErrClosed
	case f.Type == wire.Message && l.queued > MaxQueue:
		return ErrQueueFull
	case l.queued > hardQueue:
		return ErrQueueFull
	}
	if len(files) > 0 || len(l.queue) == 0 {
		l.queue = append(l.queue, segment{fds: files})
	}
	last := &l.queue[len(l.queue)-1]
	before := len(last.bytes)
	last.bytes, err = wire.Append(last.bytes, f)
	if err != nil {
		if before == 0 {
			l.queue = l.queue[:len(l.queue)-1]
		}
		return err
	}
	l.queued += len(last.bytes) - before
	return nil
}

// write is the link's one writer: it takes all that waits at once.
func (l *Link) write() {
	defer close(l.written)
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return
		}
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		l.mu.Unlock()
		for i, s := range queue {
			if err := l.writeSegment(s); err != nil {
				for _, rest := range queue[i+1:] {
					closeAll(rest.fds)
				}
				l.end(fmt.Errorf("%w: %w", ErrClosed, err))
				return
			}
		}
		l.settle(queue)
	}
}

// settle takes what was written off the account.
func (l *Link) settle(written []segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range written {
		l.queued -= len(s.bytes)
	}
	if l.queued == 0 && l.flushed != nil {
		close(l.flushed)
		l.flushed = nil
	}
}

// writeSegment sends the descriptors with the first byte, and closes them.
func (l *Link) writeSegment(s segment) error {
	defer closeAll(s.fds)
	rest := s.bytes
	if len(s.fds) > 0 {
		oob, err := rights(s.fds)
		if err != nil {
			return err
		}
		n, _, err := l.conn.WriteMsgUnix(rest, oob, nil)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	_, err := l.conn.Write(rest)
	return err
}

// Receive waits for the next frames and returns all that came at once. The
// descriptors in them are the caller's. io.EOF is the death of the other side or
// its Close; any other error means that it doesn't speak our language, or that
// this side has closed. After an error the caller calls Close.
func (l *Link) Receive() ([]Packet, error) {
	for {
		if err := l.fill(); err != nil {
			return nil, err
		}
		packets, err := l.cut()
		if err != nil {
			for _, p := range packets {
				p.Close()
			}
			return nil, err
		}
		if len(packets) > 0 {
			return packets, nil
		}
	}
}

// fill reads once.
func (l *Link) fill() error {
	n, oobn, flags, _, err := l.conn.ReadMsgUnix(l.dec.Space(), l.oob)
	files, rerr := parseRights(l.oob[:max(oobn, 0)], flags)
	l.fds = append(l.fds, files...)
	switch {
	case rerr != nil:
		return rerr
	case err == nil && n == 0, errors.Is(err, io.EOF), isReset(err):
		return l.ended()
	case err != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	l.dec.Filled(n, len(files))
	return nil
}

func (l *Link) ended() error {
	if err := l.dec.End(); err != nil {
		return err
	}
	return io.EOF
}

// cut takes the whole frames out of what was read.
func (l *Link) cut() (packets []Packet, err error) {
	for {
		f, ok, err := l.dec.Next()
		if err != nil || !ok {
			return packets, err
		}
		p := Packet{Frame: f}
		p.Files, l.fds = l.fds[:f.FDs:f.FDs], l.fds[f.FDs:]
		if !f.Type.Known() {
			p.Close() // a newer peer's: skipped
			continue
		}
		packets = append(packets, p)
	}
}

// Flush waits until all that was sent is in the kernel, from where the other
// side reads it even after Close and after the end of this process.
func (l *Link) Flush(ctx context.Context) error {
	l.mu.Lock()
	if l.err != nil || l.queued == 0 {
		defer l.mu.Unlock()
		return l.err
	}
	if l.flushed == nil {
		l.flushed = make(chan struct{})
	}
	flushed := l.flushed
	l.mu.Unlock()
	select {
	case <-flushed:
		return nil
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CloseWrite delivers what was sent, as Flush, and then says that no more will
// come: the other side reads io.EOF. This side can still read, and so learns of the
// other's death. Send fails from here on.
func (l *Link) CloseWrite(ctx context.Context) error {
	err := l.Flush(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halfClosed = true
	if l.err != nil {
		return l.err
	}
	return errors.Join(err, l.conn.CloseWrite())
}

// Close ends the link and closes every descriptor that waits in it. What was
// sent and isn't flushed may be lost. The goroutine in Receive returns.
func (l *Link) Close() error {
	l.end(ErrClosed)
	<-l.written
	return nil
}

// CloseReceived closes descriptors that came and wait for their frame. Only the
// goroutine that called Receive may call it, after its last call.
func (l *Link) CloseReceived() { closeAll(l.fds); l.fds = nil }

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// end is the one way out: it says why, and gives up the socket.
func (l *Link) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = why
	for _, s := range l.queue {
		closeAll(s.fds)
	}
	l.queue = nil
	close(l.done)
	_ = l.conn.Close() // nothing is left to lose
}
