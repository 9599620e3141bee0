package master

import "github.com/rota-go/rota/internal/child"

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
