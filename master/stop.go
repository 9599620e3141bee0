package master

import "github.com/rota-go/rota/reload"

// stop is Stop: each call does the next step of a stop.
func (l *loop) stop() {
	switch {
	case l.pool == nil:
	case !l.state.Leaving():
		l.leave()
	case !l.state.Phase().Stopping():
		l.stopPool()
	case l.state.Goal(l.pool.goal).Replaced:
		l.stopPool()
	case !l.pool.goal.Hurry:
		l.log.Warn("rota: told to stop again, the grace is over", "workers", l.living())
		l.pool.goal.Hurry = true
	}
}

// leave is the end of Run's context. A master that serves does so for Config.StopDelay more. What
// would replace it is given up at once.
func (l *loop) leave() {
	delay := l.cfg.StopDelay
	if delay <= 0 || l.pool == nil || !l.isEstablished() || l.takeover != nil {
		l.stopPool()
		return
	}
	if l.state.Leaving() {
		return
	}
	l.log.Info("rota: told to stop, serves on for a while", "delay", delay)
	l.state = l.state.Leave()
	l.abandonUpgrade(false)
	l.pool.endDelay = l.after(delay, l.stopPool)
}

// stopPool begins the end of Run: all workers drain.
func (l *loop) stopPool() {
	if l.pool != nil && l.pool.endDelay != nil {
		l.pool.endDelay() // it must not stop a later Run
	}
	if l.begin(reload.ChangeStop) != reload.Begins {
		return
	}
	l.log.Info("rota: stop")
	l.abandonUpgrade(false)
}
