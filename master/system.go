package master

import (
	"context"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// sys is what the loop needs of the operating system. Tests replace the functions, and
// need no processes.
type sys struct {
	prepare func(number int, cfg Config) (*generation, error)
	spawn   func(*generation, link.Identity, map[string]string) (*workerProcess, error)
	open    sockets.Opener

	residentBytes func(pid int) int64 // 0 if not known
	releaseMemory func()
	reap          func(workers map[int]bool) (pids []int)

	pid func() int

	masters successor.System // the processes of the predecessor and the successor
}

func system() sys {
	return sys{
		prepare: prepareGeneration, spawn: (*generation).start, open: sockets.Open,
		residentBytes: process.ResidentBytes, releaseMemory: process.ReleaseMemory, reap: process.Reap,
		pid: os.Getpid, masters: successor.NewSystem(),
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

// workerProcess is a worker's process as the loop uses it: a *process.Process, or a
// fake in tests. The loop owns the link and closes it. wait is called once, on a
// goroutine of its own.
type workerProcess struct {
	link   workerLink
	os     *os.Process
	output [2]*os.File           // of a silent worker: stdout and stderr, to read; the Worker closes them
	signal func(os.Signal) error // os.ErrProcessDone if the process has ended
	wait   func() Exit
}
