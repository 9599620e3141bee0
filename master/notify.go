package master

import (
	"fmt"
	"strings"

	"github.com/rota-go/rota/internal/sdnotify"
)

// report tells systemd what has changed since the last report. The loop calls it after
// each event, and feeds the watchdog here: if the loop hangs, systemd notices.
func (l *loop) report() {
	n := l.systemd
	if !n.Active() || l.takeover != nil || l.pool == nil {
		return
	}
	if again := n.Feed(); again > 0 {
		l.after(again, func() { l.dirty = true })
	}
	n.Report(l.phase(), l.describe())
}

// phase returns the phase of the service, or "" while it stays as it was reported: a reload
// reports itself when it begins.
func (l *loop) phase() string {
	switch p := l.pool; {
	case p.goal.Stop:
		return sdnotify.Stopping
	case !p.goal.Established, p.roll != nil && p.roll.err == nil:
		return ""
	}
	return sdnotify.Ready
}

// describe returns the status line.
func (l *loop) describe() string {
	p := l.pool
	var ready, starting, draining int
	for _, m := range l.members {
		switch {
		case !m.pooled || !m.alive():
		case !m.serving():
			draining++
		case m.Ready.IsZero():
			starting++
		default:
			ready++
		}
	}
	s := fmt.Sprintf("generation %d: %d of %d workers ready", p.goal.Generation, ready, p.goal.Workers)
	s += andCount(starting, "starting") + andCount(draining, "draining")
	return s + l.describeChange()
}

// describeChange returns what is going on, or what has failed last.
func (l *loop) describeChange() string {
	switch p := l.pool; {
	case p.goal.Stop:
		return "; stopping"
	case l.upgrade != nil:
		return "; upgrading the master"
	case p.goal.Next != 0 || p.preparing:
		return fmt.Sprintf("; reloading to generation %d", l.lastGen)
	case l.failed != nil:
		first, _, _ := strings.Cut(l.failed.Error(), "\n")
		return "; failed: " + first
	}
	return ""
}

func andCount(n int, state string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s", n, state)
}
