package master

import (
	"slices"
	"time"

	"github.com/rota-go/rota/internal/successor"
)

// snapshot returns what the new master needs to know besides the sockets. lastID is the
// worker id from which it counts on.
func (l *loop) snapshot(lastID int) *successor.Snapshot {
	s := &successor.Snapshot{
		Workers: l.pool.goal.Workers, Scaled: l.scaled, Generation: l.lastGen, LastID: lastID,
		Served: map[int][]string{}, Ports: l.sockets.portNotes(),
		Reload: len(l.pool.waiting) > 0, Watchdog: l.systemd.Watchdog(),
	}
	for slot, served := range l.pool.served {
		for name := range served {
			s.Served[slot] = append(s.Served[slot], name)
		}
		slices.Sort(s.Served[slot])
	}
	return s
}

// adopt continues from the old master's snapshot.
func (l *loop) adopt(s *successor.Snapshot) {
	l.lastGen, l.lastID = s.Generation, max(l.lastID, s.LastID)
	l.systemd.SetWatchdog(s.Watchdog)
	l.sockets.adoptPorts(s.Ports)
	if s.Scaled {
		l.cfg.Workers, l.scaled = s.Workers, true
	}
	now := time.Now()
	for slot, names := range s.Served {
		served := map[string]time.Time{}
		for _, name := range names {
			served[name] = now
		}
		l.pool.served[slot] = served
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
