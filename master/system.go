package master

import (
	"context"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/wire"
)

// sys is the master's seam to the operating system: a test puts functions of its
// own here, and needs no process.
type sys struct {
	prepare func(number int, cfg Config) (*generation, error)
	spawn   func(*generation, link.Identity, map[string]string) (*process, error)
	open    sockets.Opener

	memory      func(pid int) int64 // resident bytes; 0: not known
	reap        func(mine map[int]bool) []int
	tidy        func()
	pid         func() int
	predecessor func() (link *link.Link, ok bool, err error) // the master that this one is to follow
	alone       func(context.Context)                        // waits for its end
	flip        func(ctx context.Context, end *os.File, nonce string, starting func()) error
	flipReady   func() error
}

func system() sys {
	return sys{
		prepare: prepare, spawn: spawn, open: sockets.Open,
		memory: residentBytes, reap: reap, tidy: tidy, pid: os.Getpid, predecessor: predecessor.take,
		alone: flipAlone, flip: flipTo, flipReady: flipReady,
	}
}

// link is what the loop needs of link.Link.
type workerLink interface {
	Send(wire.Frame, ...*descriptor.FD) error
	Receive() ([]link.Packet, error)
	CloseReceived()
	CloseWrite(context.Context) error
	Close() error
}

// process is a started worker. The loop owns the link; wait is called once, on a
// goroutine of its own.
type process struct {
	link   workerLink
	os     *os.Process
	output [2]*os.File           // of a silent worker: stdout and stderr, to read; the Worker's to close
	signal func(os.Signal) error // os.ErrProcessDone once it has ended
	wait   func() Exit
}
