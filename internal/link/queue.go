package link

import (
	"slices"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

const (
	segmentSize  = 64 << 10        // bytes for one sendmsg, unless a frame is larger
	keepSegment  = 2 * segmentSize // a larger buffer is not reused
	sendSegments = 4               // how many segments one Send writes at most
)

// sender is the sending half of a link. Frames wait in a queue until the writer hands
// them to the kernel. There is at most one writer, so the order is kept: the caller of
// Send, as long as it doesn't block, or else a goroutine that lives until the queue is
// empty. The head of the queue belongs to the writer. The link's mu guards all fields but
// call and writers.
type sender struct {
	discard *descriptor.Discarder // the link's

	queue   []*segment
	queued  int           // cost of queue, in bytes
	writing bool          // there is a writer; false when the queue is empty
	closed  bool          // by CloseWrite
	err     error         // why nothing more can be written
	flushed chan struct{} // closed when queue is empty, or err set; nil when nobody waits

	call    sendCall       // the writer's
	writers sync.WaitGroup // the writer goroutine
}

// segment is the input of one sendmsg: frames, the first of which carries fds. The segment
// owns fds.
type segment struct {
	bytes    []byte
	sent     int // how many of bytes are written
	fds      []*descriptor.FD
	cost     int  // its part of sender.queued
	borrowed bool // bytes are the body of a frame that is Fixed
}

var segments = sync.Pool{New: func() any { return new(segment) }}

// free has the descriptors that s owns closed, and puts s back into the pool.
func (o *sender) free(s *segment) {
	o.discard.Discard(s.fds)
	if !s.borrowed && cap(s.bytes) <= keepSegment {
		*s = segment{bytes: s.bytes[:0]}
		segments.Put(s)
	}
}

// add appends a frame to the last segment, or to a new one if the frame carries
// descriptors, which travel with a segment's first byte, or if the last segment is full or
// belongs to the writer.
func (o *sender) add(f wire.Frame, files []*descriptor.FD) error {
	borrow := f.Fixed && len(f.Body) > segmentSize
	if err := o.copy(f, files, !borrow); err != nil || !borrow {
		return err
	}
	o.queue = append(o.queue, &segment{bytes: f.Body, cost: len(f.Body), borrowed: true})
	o.queued += len(f.Body)
	return nil
}

// copy adds a frame, or only its header.
func (o *sender) copy(f wire.Frame, files []*descriptor.FD, whole bool) error {
	n := len(o.queue)
	fresh := n < 2 || len(files) > 0 || len(o.queue[n-1].bytes) >= segmentSize || o.queue[n-1].borrowed
	if fresh {
		o.queue = append(o.queue, segments.Get().(*segment))
		n++
	}
	s := o.queue[n-1]
	appendFrame := wire.Append
	if !whole {
		appendFrame = wire.AppendHeader
	}
	b, err := appendFrame(s.bytes, f)
	if err != nil {
		if fresh {
			o.free(s)
			o.queue = o.queue[:n-1]
		}
		return err
	}
	cost := len(b) - len(s.bytes) + fdCost*len(files)
	if fresh {
		s.fds = files
	}
	s.bytes = b
	s.cost += cost
	o.queued += cost
	return nil
}

// removeHead removes the head of the queue, which has been written.
func (o *sender) removeHead() {
	if s := o.queue[0]; o.err == nil {
		o.queue = slices.Delete(o.queue, 0, 1)
		o.queued -= s.cost
		o.free(s)
	}
	if o.queued == 0 {
		o.wakeFlush()
	}
}

// keepWriting reports whether the writer has more to write. If not, there is no writer any
// more.
func (o *sender) keepWriting() bool {
	if o.err != nil {
		o.freeAll(o.queue)
		o.queue = nil
	}
	if len(o.queue) > 0 {
		return true
	}
	o.writing = false
	return false
}

// drop discards the queue except for the head, which the writer frees.
func (o *sender) drop(why error) {
	if o.err == nil {
		o.err = why
	}
	if len(o.queue) > 1 {
		o.freeAll(o.queue[1:])
		o.queue = o.queue[:1]
	}
	o.queued = 0
	o.wakeFlush()
}

func (o *sender) freeAll(queue []*segment) {
	for _, s := range queue {
		o.free(s)
	}
}

func (o *sender) wakeFlush() {
	if o.flushed != nil {
		close(o.flushed)
		o.flushed = nil
	}
}

// sendCall holds the function that RawConn calls to write a segment, with its arguments
// and result. It is not a closure, so that Send doesn't allocate.
type sendCall struct {
	f    func(fd uintptr) bool // try
	s    *segment
	wait bool
	err  error
}

// run writes s. Unless wait is set, it fails with EAGAIN where it would block; s.sent says
// how far it got.
func (c *sendCall) run(raw syscall.RawConn, s *segment, wait bool) error {
	c.s, c.wait = s, wait
	err := raw.Write(c.f)
	c.s = nil // a link may rest for long
	if err != nil {
		return err
	}
	return c.err
}

// try reports whether the call is over, with or without an error.
func (c *sendCall) try(fd uintptr) bool {
	c.err = c.s.send(int(fd))
	return !(c.wait && isAgain(c.err))
}

func (s *segment) send(fd int) error {
	fds := s.fds
	for s.sent < len(s.bytes) {
		if s.sent > 0 {
			fds = nil // they have travelled with the first byte; free closes them
		}
		n, err := sendmsg(fd, s.bytes[s.sent:], fds)
		if err != nil {
			return err
		}
		s.sent += n
	}
	return nil
}
