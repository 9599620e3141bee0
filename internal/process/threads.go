package process

import (
	"runtime"

	"github.com/rota-go/rota/internal/thread"
)

// ReserveThreads has the runtime make the threads that a master needs: one for each
// processor that it may use, up to 16, and 12 for system calls that block. Where the system
// has no thread more, Go's runtime ends the process that needs one.
func ReserveThreads() { thread.Reserve(min(runtime.GOMAXPROCS(0), 16) + 12) }
