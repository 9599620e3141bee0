package master

import (
	"context"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// sys is what the loop needs of the operating system. Tests replace the functions, and
// need no processes.
type sys struct {
	prepare func(number int, cfg Config) (*generation, error)
	spawn   func(*generation, link.Identity, map[string]string) (*workerProcess, error)
	bind    func(context.Context, request) (bound, error)

	residentBytes func(pid int) int64 // 0 if not known
	releaseMemory func()
	reap          func(workers map[int]bool) (pids []int)

	pid func() int

	predecessor    func() (l *successor.Link, ok bool, err error) // the master that this one is to follow
	parentGone     func(context.Context)                          // waits until it has exited
	startSuccessor func(ctx context.Context, end *os.File, mark string, starting func()) error
	signalReady    func() error // tells the predecessor that this master has taken over
}

func system() sys {
	return sys{
		prepare: prepareGeneration, spawn: (*generation).start, bind: bindSocket,
		residentBytes: process.ResidentBytes, releaseMemory: process.ReleaseMemory, reap: process.Reap,
		pid: os.Getpid, predecessor: successor.Predecessor, parentGone: successor.AwaitParent,
		startSuccessor: successor.Start, signalReady: successor.SignalReady,
	}
}

// workerLink is what the loop needs of a *link.Link.
type workerLink interface {
	Send(wire.Frame, ...*descriptor.FD) error
	Receive() ([]link.Packet, error)
	CloseReceived()
	CloseWrite(context.Context) error
	Close() error
}
