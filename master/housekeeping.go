package master

import "time"

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

// reapEvery is how often a master that is PID 1 looks for dead orphans. Until then they
// remain zombies, which only take up a pid.
const reapEvery = time.Second

// reapOrphans starts reaping orphans if this process is PID 1, as in a container: it is
// then the parent of what workers have started and left behind. It goes on as long as
// the pool runs. See process.Reap for how it leaves the program's own children alone.
func (l *loop) reapOrphans() {
	if p := l.pool; p != nil && l.sys.pid() == 1 {
		l.after(reapEvery, func() {
			if l.pool == p {
				l.reap()
			}
		})
	}
}

// reap reaps orphans once, and schedules the next time.
func (l *loop) reap() {
	workers := map[int]bool{} // which the loop waits for itself
	for _, m := range l.members {
		workers[m.pid()] = true
	}
	l.work(func() func() {
		pids := l.sys.reap(workers)
		return func() {
			if len(pids) > 0 {
				l.log.Debug("rota: orphans reaped", "pids", pids)
			}
			l.reapOrphans()
		}
	})
}

// publishPID writes Config.PIDFile: from now on this process is the master that the
// outside world sends signals to. A failure is logged.
func (l *loop) publishPID() {
	if err := l.pidFile.Write(l.cfg.PIDFile); err != nil {
		l.log.Error("rota: PID file can't be written", "err", err)
	}
}
