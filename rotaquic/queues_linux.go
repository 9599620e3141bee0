//go:build linux

package rotaquic

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// queueSize is for how many bytes a queue asks. The kernel gives less to a process without privileges
// (net.core.wmem_max).
const queueSize = 4 << 20

// openTime is how long a packet waits for the descriptor of its queue.
const openTime = 50 * time.Millisecond

// queues are the queues of an address's members, as a sender has them.
type queues struct {
	open func(index uint8) (*os.File, error)
	fds  [maxMembers]atomic.Int64 // owned: a descriptor, or 0; in no poller
	busy [maxMembers]atomic.Bool  // it is being opened
}

func queueName(name string, index uint8) string { return name + "\x00" + strconv.Itoa(int(index)) }

// send passes a packet on, in two parts. It is false if the packet was lost. One goroutine calls it.
func (q *queues) send(index uint8, head, data []byte) bool {
	fd := q.fd(index)
	if fd <= 0 {
		return false
	}
	_, err := unix.SendmsgBuffers(fd, [][]byte{head, data}, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return err == nil
}

func (q *queues) fd(index uint8) int {
	if fd := q.fds[index].Load(); fd != 0 {
		return int(fd)
	}
	if !q.busy[index].CompareAndSwap(false, true) {
		return 0
	}
	opened := make(chan struct{})
	go func() {
		defer q.busy[index].Store(false)
		defer close(opened)
		q.fds[index].Store(int64(q.descriptor(index)))
	}()
	select {
	case <-opened:
	case <-time.After(openTime): // the master doesn't answer
	}
	return int(q.fds[index].Load())
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
