package master

import (
	"github.com/rota-go/rota/internal/sdnotify"
	"github.com/rota-go/rota/reload"
)

// report tells systemd what has changed since the last report. The loop calls it after
// each event, and feeds the watchdog here: if the loop hangs, systemd notices.
func (l *loop) report() {
	n := l.systemd
	if !n.Active() || l.takeover != nil || l.pool == nil {
		return
	}
	if again := n.Feed(); again > 0 {
		l.after(again, func() {})
	}
	n.Report(l.status())
}

// status returns what systemd is told.
func (l *loop) status() sdnotify.Status {
	goal := l.pool.goal
	s := sdnotify.Status{
		Phase: l.state.Phase(), Leaving: l.state.Leaving(), Upgrading: l.upgrade != nil, Failed: l.failed,
		Generation: goal.Generation, Latest: l.lastGen, Workers: goal.Workers,
	}
	s.Starting, s.Ready, s.Draining = reload.Count(l.pooled())
	return s
}
