//go:build linux

package rotaquic

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// queueSize is for how many bytes a queue asks. The kernel gives less to a process without privileges
// (net.core.wmem_max).
const queueSize = 4 << 20

// openTime is how long a packet waits for the descriptor of its queue, which the master gives. The packets behind it wait in the
// socket, for any worker.
const openTime = time.Second

// opening is the opening of a queue.
type opening struct {
	began time.Time
	done  chan struct{}
}

// queues are the queues of an address's members, as a sender has them.
type queues struct {
	open func(index uint8) (*os.File, error)
	fds  [maxMembers]atomic.Int64 // owned: a descriptor, or 0; in no poller

	mu      sync.Mutex
	opening [maxMembers]*opening // nil, or under way
}

func queueName(name string, index uint8) string { return name + "\x00" + strconv.Itoa(int(index)) }

// send passes a packet on, in two parts. It is false if the packet was lost.
func (q *queues) send(index uint8, head, data []byte) bool {
	fd := q.fd(index)
	if fd <= 0 {
		return false
	}
	_, err := unix.SendmsgBuffers(fd, [][]byte{head, data}, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return err == nil
}

// prepare opens the queues of the members that live, all at once, so that no packet waits for it.
func (q *queues) prepare(t *table) {
	var under []*opening
	for i := range t.members {
		if t.at(uint8(i)).state != absent && q.fds[i].Load() == 0 {
			under = append(under, q.begin(uint8(i)))
		}
	}
	for _, o := range under {
		o.await()
	}
}

// fd returns the descriptor of a queue, or 0 if the master doesn't give it in time.
func (q *queues) fd(index uint8) int {
	if fd := q.fds[index].Load(); fd != 0 {
		return int(fd)
	}
	q.begin(index).await()
	return int(q.fds[index].Load())
}

// await waits for the end of an opening, but not for longer than openTime since its begin.
func (o *opening) await() {
	select {
	case <-o.done:
	case <-time.After(time.Until(o.began.Add(openTime))):
	}
}

// begin opens a queue on another goroutine, unless that is under way.
func (q *queues) begin(index uint8) *opening {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.opening[index] == nil {
		o := &opening{began: time.Now(), done: make(chan struct{})}
		q.opening[index] = o
		go func() {
			defer close(o.done)
			q.finish(index, q.descriptor(index))
		}()
	}
	return q.opening[index]
}

func (q *queues) finish(index uint8, fd int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.opening[index] = nil
	if !q.fds[index].CompareAndSwap(0, int64(fd)) && fd > 0 {
		_ = unix.Close(fd) // q is closed
	}
}

// descriptor returns a descriptor of a queue, or 0.
func (q *queues) descriptor(index uint8) (fd int) {
	f, err := q.open(index)
	if err != nil {
		return 0
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(n uintptr) {
		if fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3); err != nil {
			fd = 0
		}
	})
	if err != nil {
		return 0
	}
	return fd
}

// close closes the descriptors. No send is under way.
func (q *queues) close() {
	for m := range q.fds {
		if fd := q.fds[m].Swap(-1); fd > 0 {
			_ = unix.Close(int(fd)) // nothing was written through it
		}
	}
}

// empty makes a queue large, and throws away what is in it: packets for a worker that is gone.
func empty(queue *os.File) error {
	raw, err := queue.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, queueSize)      // as far as it may be
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, queueSize) // with privileges
		for err := error(nil); err == nil; {
			_, _, err = unix.Recvfrom(int(fd), nil, unix.MSG_DONTWAIT)
		}
	})
}
