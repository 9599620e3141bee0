//go:build unix

package usage

import (
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// work returns what this process has cost by now.
func work() wire.Work {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return wire.Work{}
	}
	return wire.Work{Processor: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Waits: int64(u.Nvcsw)}
}
