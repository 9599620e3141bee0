package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// Send queues a frame; f.Body is copied. Send owns files from here on, also when it
// fails: they are closed when they are sent or the link ends. A Message is refused
// with ErrQueueFull when too much waits; where far too much waits, the link ends.
func (l *Link) Send(f wire.Frame, files ...*descriptor.FD) error {
	f.FDs = len(files)
	mine, err := l.enqueue(f, files)
	if err != nil {
		descriptor.CloseAll(files)
		return fmt.Errorf("send %v: %w", f.Type, err)
	}
	if mine {
		l.writeSome()
	}
	return nil
}

// enqueue reports whether the turn is now the caller's.
func (l *Link) enqueue(f wire.Frame, files []*descriptor.FD) (mine bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse(f, files); err != nil {
		return false, err
	}
	if err := l.out.add(f, files); err != nil {
		return false, err
	}
	mine = !l.out.turn
	l.out.turn = true
	return mine, nil
}

// refuse says why f can't be sent, if it can't.
func (l *Link) refuse(f wire.Frame, files []*descriptor.FD) error {
	for i, fd := range files {
		if fd.Int() < 0 {
			return fmt.Errorf("%w: number %d of %d is closed", wire.ErrDescriptors, i+1, len(files))
		}
	}
	switch o := &l.out; {
	case o.err != nil:
		return o.err
	case o.closed:
		return ErrClosed
	case o.queued > hardQueue:
		l.endLocked(fmt.Errorf("%w: %w", ErrClosed, ErrQueueFull))
		return l.err
	case o.queued > MaxQueue && f.Type == wire.Message:
		return ErrQueueFull
	}
	return nil
}

// writeSome is the turn of Send's caller: it hands over what the kernel takes
// without waiting, but doesn't work long for others.
func (l *Link) writeSome() {
	for range sendSegments {
		if !l.writeSegment(false) {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave()
}

// leave leaves the turn to a goroutine. The caller holds mu.
func (l *Link) leave() {
	l.out.writers.Add(1)
	go l.writeAll()
}

// writeAll is the turn of the goroutine, which waits for the kernel.
func (l *Link) writeAll() {
	defer l.out.writers.Done()
	for l.writeSegment(true) {
	}
}

// writeSegment writes the head of the queue. It reports whether the turn goes on:
// it ends when nothing is left, or in the hands of a goroutine if the kernel takes
// no more and the caller can't wait.
func (l *Link) writeSegment(wait bool) (more bool) {
	err := l.out.call.run(l.raw, l.head(), wait)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.out.written()
	case isAgain(err):
		l.leave()
		return false
	default:
		l.cannotWrite(err)
	}
	return l.out.next()
}

func (l *Link) head() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.queue[0]
}

// cannotWrite ends the way out. Where the other side is gone it may have left
// frames that are still to be read, so the link doesn't end before Receive has
// read them. What else can go wrong leaves nothing to go on with.
func (l *Link) cannotWrite(err error) {
	err = fmt.Errorf("%w: %w", ErrClosed, err)
	if !isReset(err) && l.out.err == nil {
		l.endLocked(err)
	}
	l.out.drop(err)
}

// Flush waits until all that was sent is in the kernel, from where the other
// side reads it even after Close and after the end of this process.
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

// flushing returns what is closed when nothing waits any more; nil if nothing does.
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

// CloseWrite delivers what was sent, as Flush, and then says that no more will
// come: the other side reads io.EOF. This side can still read, and so learns of the
// other's death. Send fails from the call on. If ctx ends first, what the other
// side has not made room for is lost, and the error is ctx's.
func (l *Link) CloseWrite(ctx context.Context) error {
	l.mu.Lock()
	l.out.closed = true
	l.mu.Unlock()
	err := l.Flush(ctx)
	if err != nil {
		l.giveUp()
	}
	return errors.Join(err, l.conn.CloseWrite())
}

// giveUp drops what waits to be written, also what a goroutine waits with.
func (l *Link) giveUp() {
	l.mu.Lock()
	l.out.drop(ErrClosed)
	l.mu.Unlock()
	_ = l.conn.SetWriteDeadline(time.Unix(1, 0)) // fails where the link has ended, which does as well
	l.out.writers.Wait()
}
