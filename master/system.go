package master

import (
	"context"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// sys is the master's seam to the operating system: a test puts functions of its
// own here, and needs no process.
type sys struct {
	prepare func(number int, cfg Config) (*generation, error)
	spawn   func(*generation, link.Identity, map[string]string) (*process, error)
	bind    func(context.Context, request) (bound, error)

	memory func(pid int) int64 // resident bytes; 0: not known
	reap   func(mine map[int]bool) []int
	tidy   func()
	pid    func() int

	predecessor    func() (l *successor.Link, ok bool, err error) // the master that this one is to follow
	parentGone     func(context.Context)                          // waits until it has exited
	startSuccessor func(ctx context.Context, end *os.File, mark string, starting func()) error
	signalReady    func() error // tells the predecessor that this master has taken over
}

func system() sys {
	return sys{
		prepare: prepare, spawn: spawn, bind: bindSocket,
		memory: residentBytes, reap: reap, tidy: tidy, pid: os.Getpid,
		predecessor: successor.Predecessor, parentGone: successor.AwaitParent,
		startSuccessor: successor.Program{Exec: started.exec, Args: started.args, Dir: started.dir}.Start,
		signalReady:    successor.SignalReady,
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
