package master

import (
	"github.com/rota-go/rota/internal/successor"
)

// snapshot returns what the new master needs to know besides the sockets. lastID is the
// worker id from which it counts on.
func (l *loop) snapshot(lastID int) *successor.Snapshot {
	return &successor.Snapshot{
		Workers: l.pool.goal.Workers, Scaled: l.scaled, Generation: l.lastGen, LastID: lastID,
		Served: l.pool.readiness.Served(), Ports: l.sockets.portNotes(),
		Reload: len(l.pool.waiting) > 0, Watchdog: l.systemd.Watchdog(),
	}
}

// adopt continues from the old master's snapshot.
func (l *loop) adopt(s *successor.Snapshot) {
	l.lastGen, l.lastID = s.Generation, max(l.lastID, s.LastID)
	l.systemd.SetWatchdog(s.Watchdog)
	l.sockets.adoptPorts(s.Ports)
	if s.Scaled {
		l.cfg.Workers, l.scaled = s.Workers, true
	}
	for slot, names := range s.Served {
		l.pool.readiness.Inherit(slot, names)
	}
}

// late does what the old master was asked for and has left to this one.
func (l *loop) late(s *successor.Snapshot) {
	if l.pool == nil {
		return
	}
	if s.Scaled && s.Workers != l.pool.goal.Workers {
		l.scale(s.Workers)
	}
	if s.Reload {
		_ = l.reload(make(chan error, 1)) // the old master has answered its caller
	}
}
