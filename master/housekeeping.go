package master

import (
	"time"

	"github.com/rota-go/rota/internal/child"
)

// releaseDelay is how long after a reload the master releases memory. In the first tenths
// of a second the clients of the old workers connect to the new ones: collecting garbage
// at that time was measured as a fifth of the processor time that a reload takes.
const releaseDelay = 300 * time.Millisecond

// releaseMemorySoon releases the memory that a reload has left behind, once for all
// reloads within releaseDelay.
func (l *loop) releaseMemorySoon() {
	if l.releaseDue {
		return
	}
	l.releaseDue = true
	l.after(releaseDelay, func() {
		l.releaseDue = false
		l.work(func() func() { l.sys.releaseMemory(); return func() {} })
	})
}

// reapOrphans starts reaping orphans, as long as the pool runs, if this process is PID 1.
func (l *loop) reapOrphans() {
	if l.sys.pid() != 1 {
		return
	}
	l.pool.orphans = &child.Orphans{
		Work: l.work, After: l.after, Reap: l.sys.reap,
		Workers: func() map[int]bool {
			pids := map[int]bool{}
			for _, m := range l.members {
				pids[m.pid()] = true
			}
			return pids
		},
		Reaped: func(pids []int) { l.log.Debug("rota: orphans reaped", "pids", pids) },
	}
	l.pool.orphans.Start()
}
