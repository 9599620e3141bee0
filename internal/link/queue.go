package link

import (
	"slices"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

const (
	segmentSize  = 64 << 10 // what one sendmsg is given, unless a frame is larger
	keepSegment  = 2 * segmentSize
	sendSegments = 4 // what a Send writes of what others have queued, at most
)

// sender is a link's way out. Frames wait in queue until somebody whose turn it is
// hands them to the kernel: the caller of Send, as far as that doesn't make it
// wait, or else a goroutine that lives until the queue is empty. There is one turn,
// so the order is kept, and the head of the queue belongs to who has it. The link's
// mu guards all but call and writers.
type sender struct {
	queue   []*segment
	queued  int           // cost of queue
	turn    bool          // somebody has it; nobody where queue is empty
	closed  bool          // by CloseWrite
	err     error         // why nothing more can be written
	flushed chan struct{} // closed when queue is empty, or err set; nil when nobody waits

	call    sendCall       // of who has the turn
	writers sync.WaitGroup // the goroutine
}

// segment is what one sendmsg writes: frames, the first of which owns fds.
type segment struct {
	bytes []byte
	sent  int // of bytes
	fds   []*descriptor.FD
	cost  int // on the queue's account
}

var segments = sync.Pool{New: func() any { return new(segment) }}

// free closes what s owns, and gives s back.
func (s *segment) free() {
	descriptor.CloseAll(s.fds)
	if cap(s.bytes) <= keepSegment {
		*s = segment{bytes: s.bytes[:0]}
		segments.Put(s)
	}
}

// add appends a frame to the last segment, or to a new one: descriptors travel with
// a segment's first byte, and to the first segment its writer has a right.
func (o *sender) add(f wire.Frame, files []*descriptor.FD) error {
	n := len(o.queue)
	fresh := n < 2 || len(files) > 0 || len(o.queue[n-1].bytes) >= segmentSize
	if fresh {
		o.queue = append(o.queue, segments.Get().(*segment))
		n++
	}
	s := o.queue[n-1]
	b, err := wire.Append(s.bytes, f)
	if err != nil {
		if fresh {
			s.free()
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

// written takes the head off the queue.
func (o *sender) written() {
	if s := o.queue[0]; o.err == nil {
		o.queue = slices.Delete(o.queue, 0, 1)
		o.queued -= s.cost
		s.free()
	}
	if o.queued == 0 {
		o.wakeFlush()
	}
}

// next goes on with the turn, or ends it where nothing is left.
func (o *sender) next() (more bool) {
	if o.err != nil {
		freeAll(o.queue)
		o.queue = nil
	}
	if len(o.queue) > 0 {
		return true
	}
	o.turn = false
	return false
}

// drop gives up what waits, but for the head: who has the turn frees it.
func (o *sender) drop(why error) {
	if o.err == nil {
		o.err = why
	}
	if len(o.queue) > 1 {
		freeAll(o.queue[1:])
		o.queue = o.queue[:1]
	}
	o.queued = 0
	o.wakeFlush()
}

func freeAll(queue []*segment) {
	for _, s := range queue {
		s.free()
	}
}

func (o *sender) wakeFlush() {
	if o.flushed != nil {
		close(o.flushed)
		o.flushed = nil
	}
}

// sendCall is what RawConn calls to write a segment. It is no closure, so that Send
// has nothing to allocate.
type sendCall struct {
	f    func(fd uintptr) bool // try
	s    *segment
	wait bool
	err  error
}

// run writes s. Unless wait is set it fails with EAGAIN where it would have to wait;
// s knows how far it came.
func (c *sendCall) run(raw syscall.RawConn, s *segment, wait bool) error {
	c.s, c.wait = s, wait
	if err := raw.Write(c.f); err != nil {
		return err
	}
	return c.err
}

// try reports whether it has come to an end, good or bad.
func (c *sendCall) try(fd uintptr) bool {
	c.err = c.s.send(int(fd))
	return !(c.wait && isAgain(c.err))
}

func (s *segment) send(fd int) error {
	for s.sent < len(s.bytes) {
		n, err := sendmsg(fd, s.bytes[s.sent:], s.fds)
		if err != nil {
			return err
		}
		s.sent += n
		descriptor.CloseAll(s.fds) // they travel with the first byte
		s.fds = nil
	}
	return nil
}
