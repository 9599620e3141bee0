package master

import "time"

// reapEvery is how often a master that is PID 1 looks for dead orphans. Until then they
// remain zombies, which only take up a pid.
const reapEvery = time.Second

// reapOrphans starts reaping orphans if this process is PID 1, as in a container: it is
// then the parent of what workers have started and left behind. It goes on as long as
// the pool runs. See process.Reap for how it leaves the program's own children alone.
func (l *loop) reapOrphans() {
	p := l.pool
	if l.sys.pid() != 1 {
		return
	}
	l.after(reapEvery, func() {
		if l.pool != p {
			return
		}
		workers := l.pids()
		l.work(func() func() {
			pids := l.sys.reap(workers)
			return func() { l.reaped(pids) }
		})
	})
}

// reaped logs what was reaped, and schedules the next time.
func (l *loop) reaped(pids []int) {
	if len(pids) > 0 {
		l.log.Debug("rota: orphans reaped", "pids", pids)
	}
	if l.pool != nil {
		l.reapOrphans()
	}
}

// pids returns the pids of the workers, which the loop waits for itself.
func (l *loop) pids() map[int]bool {
	all := map[int]bool{}
	for _, m := range l.members {
		all[m.pid()] = true
	}
	return all
}
