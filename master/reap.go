package master

import "time"

// reapEvery is how often a master that is PID 1 looks for orphans that have died. They
// wait as zombies, and hurt nobody meanwhile.
const reapEvery = time.Second

// reapOrphans does what PID 1 has to do for processes that nobody waits for: in a
// container, what a worker has started and left behind falls to the master. It looks
// as long as the pool runs, and never touches a process that somebody can wait for.
func (l *loop) reapOrphans() {
	p := l.pool
	if l.sys.pid() != 1 {
		return
	}
	l.after(reapEvery, func() {
		if l.pool != p {
			return
		}
		mine := l.pids()
		l.work(func() func() {
			reaped := l.sys.reap(mine)
			return func() { l.reaped(reaped) }
		})
	})
}

func (l *loop) reaped(pids []int) {
	if len(pids) > 0 {
		l.log.Debug("rota: orphans reaped", "pids", pids)
	}
	if l.pool != nil {
		l.reapOrphans()
	}
}

// pids are those of the workers, which the loop waits for.
func (l *loop) pids() map[int]bool {
	all := map[int]bool{}
	for _, m := range l.members {
		all[m.pid()] = true
	}
	return all
}
