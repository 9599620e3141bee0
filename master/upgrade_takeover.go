package master

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// takeover is what a new master does until it is the master.
type takeover struct {
	link     masterLink
	begun    time.Time
	start    func(error) // goes on with Run, once the old master has told what it knows
	told     bool        // the state has come
	ready    bool        // the workers have been ready for MinUptime
	released bool        // "go" has come
	orphan   bool        // the old master is gone
	taking   bool        // both have come: there is no way back
	final    *stateNote
}

// inherit calls then, at once in a process that follows no other master, and
// otherwise when the state of the old one is there.
func (l *loop) inherit(then func(error)) {
	link, ok, err := l.sys.predecessor()
	if !ok || err != nil {
		then(err)
		return
	}
	l.sockets.Succeed()
	t := &takeover{link: masterLink{link}, begun: time.Now(), start: then}
	l.takeover = t
	l.work(func() func() {
		_ = t.link.read(func(n note, files []*descriptor.FD) {
			l.m.calls <- func(l *loop) { l.heardFromOld(t, n, files) }
		})
		return func() { l.orphaned(t) }
	})
}

// heardFromOld does what the old master says. It takes files.
func (l *loop) heardFromOld(t *takeover, n note, files []*descriptor.FD) {
	if n.Kind == noteSocket && n.Socket != nil && l.takeover == t {
		if err := l.sockets.Restore(n.Socket, files); err != nil {
			l.failTakeover(err)
		}
		return
	}
	if n.Kind == noteGiven {
		l.sockets.Inherit(n.Given, files)
		return
	}
	closeDescriptors(files)
	switch {
	case n.Kind == noteStop:
		l.stopTakeover(n.AtOnce)
	case n.Kind == noteLate && n.State != nil:
		l.late(n.State)
	case l.takeover != t:
	case n.Kind == noteState && n.State != nil && !t.told:
		t.told = true
		l.adopt(n.State)
		t.start(nil)
	case n.Kind == noteGo:
		t.final, t.released = n.State, true
		l.takeOver()
	}
}

// adopt takes up where the old master is.
func (l *loop) adopt(s *stateNote) {
	l.lastGen, l.lastID = s.Generation, max(l.lastID, s.LastID)
	l.systemd.watchdog = s.Watchdog
	l.sockets.RestorePorts(s.Ports)
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

// trial begins when a new master's workers are all ready: they have to live for
// MinUptime, as in a reload.
func (l *loop) trial(t *takeover) {
	wait := max(l.pool.policy.WithDefaults().MinUptime, 0)
	l.after(wait, func() {
		if l.takeover == t && l.pool != nil && !l.pool.goal.Stop {
			t.ready = true
			t.link.send(note{Kind: noteReady})
			l.takeOver()
		}
	})
}

// boundStart: the policy gives a first start all the time it wants, as there is
// nothing to fall back on. Here there is.
func (l *loop) boundStart(t *takeover) {
	p := l.pool.policy.WithDefaults()
	if p.ReadyTimeout < 0 {
		return
	}
	l.after(p.ReadyTimeout, func() {
		if l.takeover == t && l.pool != nil && !l.pool.goal.Established {
			l.failTakeover(fmt.Errorf("its workers are %w", ErrNotReady))
		}
	})
}

// diedOnTrial: a worker that dies before the new master is the master makes the
// upgrade fail.
func (l *loop) diedOnTrial(m *member) {
	if t := l.takeover; t != nil && !t.taking && m.pooled && !m.Voluntary && l.pool != nil {
		l.failTakeover(&StartError{Worker: m.ID, PID: m.pid(), Exit: m.exit})
	}
}

// failTakeover leaves the service to the old master.
func (l *loop) failTakeover(err error) {
	if l.pool == nil || l.pool.goal.Stop {
		return
	}
	l.log.Error("rota: no takeover, the old master keeps its place", "err", err)
	l.takeover.link.send(note{Kind: noteFailed, Reason: err.Error()})
	if l.pool.preparing && l.pool.goal.Generation == 0 {
		l.finishPool(err)
		return
	}
	l.pool.err = err
	l.stopPool()
}

// stopTakeover: the old master doesn't want this one, or was told to stop when this
// one had just become the master.
func (l *loop) stopTakeover(atOnce bool) {
	if l.takeover == nil {
		l.stopPool()
	} else {
		l.failTakeover(errors.New("it was not wanted any more"))
	}
	if atOnce {
		l.killAll()
	}
}

// orphaned: the old master's end of the link is closed. Before "go" that is its death,
// and nobody but this master is left to serve.
func (l *loop) orphaned(t *takeover) {
	_ = t.link.Close()
	if l.takeover != t {
		return
	}
	t.orphan = true
	if !t.told {
		l.finishPool(errors.New("the old master is gone, and has told nothing"))
		return
	}
	l.takeOver()
}

// takeOver makes this the master, when it is ready and the old one has said go or
// has died.
func (l *loop) takeOver() {
	t := l.takeover
	if t.taking || !t.ready || !t.released && !t.orphan || l.pool == nil || l.pool.goal.Stop {
		return
	}
	t.taking = true
	l.work(func() func() {
		err := l.sys.flipReady()
		return func() { l.tookOver(t, err) }
	})
}

func (l *loop) tookOver(t *takeover, err error) {
	l.takeover = nil
	l.sockets.OwnFiles()
	if err != nil {
		l.log.Warn("rota: the old master died during the upgrade", "err", err)
	}
	l.log.Info("rota: master took over", "pid", os.Getpid(), "took", time.Since(t.begun).Round(time.Millisecond))
	if l.pool == nil {
		return
	}
	l.dirty = true
	l.closeUnused()
	l.official()
	if t.final != nil {
		l.lastID = max(l.lastID, t.final.LastID)
		l.late(t.final)
	}
	l.nextReload() // this one may have been asked already
}

// late does what the old master was asked for and couldn't do any more.
func (l *loop) late(s *stateNote) {
	if l.pool == nil {
		return
	}
	if s.Scaled && s.Workers != l.pool.goal.Workers {
		l.scale(s.Workers)
	}
	if s.Reload {
		_ = l.reload(make(chan error, 1)) // for whom the old master had it
	}
}

// giveUp tells the old master why there will be no new one.
func (l *loop) giveUp(err error) {
	t := l.takeover
	if t == nil {
		return
	}
	l.takeover = nil
	reason := "it was told to stop"
	if err != nil {
		reason = err.Error()
	}
	t.link.send(note{Kind: noteFailed, Reason: reason})
	l.work(func() func() {
		t.link.end()
		return func() {}
	})
}
