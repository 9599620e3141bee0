package master

import (
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/reload"
)

// sys is what the loop needs of the operating system. Tests replace the functions, and
// need no processes.
type sys struct {
	prepare func(number int, cfg Config, executable *os.File) (*generation, error)
	spawn   func(*process.Image, link.Identity, map[string]string) (*child.Process, error)
	open    sockets.Opener

	residentBytes func(pid int) int64 // 0 if not known
	releaseMemory func()
	reap          func(workers map[int]bool) (pids []int)
	pid           func() int
	kept          func() *fdstore.Kept // by systemd, for this master

	masters successor.System // the processes of the predecessor and the successor

	next func(*reload.Rota, reload.Policy, reload.Goal, time.Time) ([]reload.Step, time.Time) // the policy, which tests check
}

func system() sys {
	process.ReserveThreads()
	return sys{
		prepare: prepareGeneration, spawn: child.Start, open: sockets.Open, next: (*reload.Rota).Next,
		residentBytes: process.ResidentBytes, releaseMemory: process.ReleaseMemory, reap: process.Reap,
		pid: os.Getpid, kept: fdstore.FromEnvironment, masters: successor.NewSystem(),
	}
}
