package master

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// SetDrained says whether balancers are told to send new clients to other hosts: Serving and Status say so,
// package health passes it on, and everything is served on. It holds for the Run under way, or else the next, and for
// the new master of an upgrade, until it is taken back. status.By says who asks. It fails with ErrStopping
// when a new master has taken over, and with ErrClosed.
func (m *Master) SetDrained(ctx context.Context, drained bool) error {
	return m.loop.Ask(func(l *loop) error {
		if m.last.IsKept() {
			return fmt.Errorf("drain: a new master has taken over: %w", ErrStopping)
		}
		if by := status.Caller(ctx); l.state.Drained() != drained {
			l.state = l.state.SetDrained(drained)
			l.log.Info("rota: balancers are told whether to send clients", "drained", drained, "by", by)
			l.book.Drained(drained, time.Now(), by)
		}
		return nil
	})
}

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
		l.log.Warn("rota: told to stop again, the grace is over", "workers", len(l.workers()))
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
