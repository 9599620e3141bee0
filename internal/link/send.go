package link

import (
	"context"
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// Send queues a frame; f.Body is copied, unless f is Fixed. Send owns files, also when it fails: they are
// closed when they have been sent or the link is closed. When more than MaxQueue bytes
// wait, a message is refused with ErrQueueFull; when far more wait, the link is closed.
func (l *Link) Send(f wire.Frame, files ...*descriptor.FD) error {
	f.FDs = len(files)
	writer, err := l.enqueue(f, files)
	if err != nil {
		descriptor.CloseAll(files)
		return fmt.Errorf("send %v: %w", f.Type, err)
	}
	if writer {
		l.writeSome()
	}
	return nil
}

// enqueue adds a frame to the queue. It reports whether the caller is now the writer.
func (l *Link) enqueue(f wire.Frame, files []*descriptor.FD) (writer bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse(f, files); err != nil {
		return false, err
	}
	if err := l.out.add(f, files); err != nil {
		return false, err
	}
	writer = !l.out.writing
	l.out.writing = true
	return writer, nil
}

// refuse returns the reason why f can't be sent, or nil.
func (l *Link) refuse(f wire.Frame, files []*descriptor.FD) error {
	for i, fd := range files {
		if fd.Int() < 0 {
			return fmt.Errorf("%w: descriptor %d of %d is closed", wire.ErrDescriptors, i+1, len(files))
		}
	}
	switch o := &l.out; {
	case o.err != nil:
		return o.err
	case o.closed:
		return ErrClosed
	case o.queued > hardQueue:
		l.closeLocked(fmt.Errorf("%w: %w", ErrClosed, ErrQueueFull))
		return l.err
	case o.queued > MaxQueue && f.Type.IsMessage():
		return ErrQueueFull
	}
	return nil
}

// writeSome makes the caller of Send the writer: it writes what the kernel takes without
// blocking, at most sendSegments segments, and leaves the rest to a goroutine.
func (l *Link) writeSome() {
	for range sendSegments {
		if !l.writeSegment(false) {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.startWriter()
}

// startWriter makes a new goroutine the writer. l.mu is held.
func (l *Link) startWriter() {
	l.out.writers.Add(1)
	go l.writeAll()
}

// writeAll writes until the queue is empty. It blocks while the kernel takes no more.
func (l *Link) writeAll() {
	defer l.out.writers.Done()
	for l.writeSegment(true) {
	}
}

// writeSegment writes the head of the queue. It reports whether the caller is still the
// writer: not when the queue is empty, and not when the kernel takes no more and the
// caller can't wait, so that a goroutine continues.
func (l *Link) writeSegment(wait bool) (more bool) {
	err := l.writeHead(wait)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.out.removeHead()
	case isAgain(err):
		l.startWriter()
		return false
	default:
		l.failWrite(err)
	}
	return l.out.keepWriting()
}

func (l *Link) writeHead(wait bool) error {
	if err := l.use(); err != nil {
		return err
	}
	defer l.users.Done()
	return l.out.call.run(l.raw, l.head(), wait)
}

func (l *Link) head() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.queue[0]
}

// failWrite stops sending after a failed write. If the other side is gone, frames that it
// has sent may still be unread, so the link stays open for Receive. Any other error closes
// the link. l.mu is held.
func (l *Link) failWrite(err error) {
	err = fmt.Errorf("%w: %w", ErrClosed, err)
	if !isReset(err) && l.out.err == nil {
		l.closeLocked(err)
	}
	l.out.drop(err)
}

// Flush waits until all frames that were sent are in the kernel. From there the other
// side reads them even after Close, and after the death of this process.
func (l *Link) Flush(ctx context.Context) error {
	flushed, err := l.flushing()
	if flushed == nil {
		return err
	}
	select {
	case <-flushed:
		_, err = l.flushing()
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flushing returns a channel that is closed when the queue is empty; nil if it is.
func (l *Link) flushing() (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.out
	if o.err != nil || o.queued == 0 {
		return nil, o.err
	}
	if o.flushed == nil {
		o.flushed = make(chan struct{})
	}
	return o.flushed, nil
}

// CloseWrite flushes the queue and then half-closes the link: the other side reads io.EOF.
// This side can still read, and so learns of the other side's death. Send fails as soon as
// CloseWrite is called. If ctx ends first, the frames that are still queued are lost and
// the error is ctx's.
func (l *Link) CloseWrite(ctx context.Context) error {
	l.mu.Lock()
	l.out.closed = true
	l.mu.Unlock()
	err := l.Flush(ctx)
	if err != nil {
		l.discardQueue()
	}
	return errors.Join(err, l.shutdown())
}

func (l *Link) shutdown() error {
	if err := l.use(); err != nil {
		return err
	}
	defer l.users.Done()
	return l.conn.CloseWrite()
}

// discardQueue drops what waits to be written, and waits for the writer goroutine.
func (l *Link) discardQueue() {
	l.mu.Lock()
	l.out.drop(ErrClosed)
	_ = l.conn.SetWriteDeadline(longAgo) // fails if the link is closed, and the writer with it
	l.mu.Unlock()
	l.out.writers.Wait()
}
