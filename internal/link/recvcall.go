package link

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// recvCall is what RawConn calls to read, and what came of it. It is no closure, so
// that a Receive of nothing has nothing to allocate.
type recvCall struct {
	read    func(fd uintptr) bool // receiver.try
	look    func(fd uintptr)
	arrived bool

	n   int
	fds []*descriptor.FD
	err error
}

func (in *receiver) init() {
	in.oob = make([]byte, rightsSpace)
	in.alone = runtime.GOMAXPROCS(0) == 1 // else other goroutines have a place to run
	in.call.read = in.try
	in.call.look = func(fd uintptr) { in.call.arrived = arrived(int(fd)) }
}

// try reports whether it has come to an end, good or bad.
func (in *receiver) try(fd uintptr) bool {
	c := &in.call
	c.n, c.fds, c.err = recvmsg(int(fd), in.dec.Space(), in.oob)
	if isAgain(c.err) {
		in.dec.Rest()
		return false
	}
	return true
}

const (
	watchFor = 20 * time.Microsecond
	soon     = 50 * time.Microsecond
)

// watching is set while a link is watched: one at a time in a process.
var watching atomic.Bool

// await reads once, as soon as something has come. A goroutine in the poller wakes
// up 10 to 40 µs after that. That is long for a link on which every answer is
// followed by the next question, so one where frames come quickly is watched for a
// moment before its goroutine lies down. Other processes get the processor meanwhile
// if they want it. Measured between two processes on two cores: 80,000 round trips a
// second, and 35,000 without.
func (in *receiver) await(raw syscall.RawConn) error {
	begin := time.Now()
	if in.lively && watching.CompareAndSwap(false, true) {
		in.watch(raw, begin.Add(watchFor))
		watching.Store(false)
	}
	err := raw.Read(in.call.read)
	in.lively = time.Since(begin) < soon
	return err
}

// watch returns when something has come, or at the end.
func (in *receiver) watch(raw syscall.RawConn, end time.Time) {
	for raw.Control(in.call.look) == nil && !in.call.arrived && time.Now().Before(end) {
		if in.alone {
			runtime.Gosched()
		}
		yield()
	}
}
