package master

import (
	"os"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
)

// sys is what the loop needs of the operating system. Tests replace the functions, and
// need no processes.
type sys struct {
	prepare func(number int, cfg Config) (*generation, error)
	spawn   func(*process.Image, link.Identity, map[string]string) (*child.Process, error)
	open    sockets.Opener

	residentBytes func(pid int) int64 // 0 if not known
	releaseMemory func()
	reap          func(workers map[int]bool) (pids []int)
	pid           func() int

	masters successor.System // the processes of the predecessor and the successor
}

func system() sys {
	process.ReserveThreads()
	return sys{
		prepare: prepareGeneration, spawn: child.Start, open: sockets.Open,
		residentBytes: process.ResidentBytes, releaseMemory: process.ReleaseMemory, reap: process.Reap,
		pid: os.Getpid, masters: successor.NewSystem(),
	}
}
