package master

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/successor"
)

// takeover is what a new master does until it has taken over.
type takeover struct {
	successor.Takeover
	link  *successor.Link
	began time.Time
	start func(error) // starts the workers, once the snapshot has come
}

// inherit calls start: at once in a process that follows no other master, and otherwise
// when the old one's snapshot has come.
func (l *loop) inherit(start func(error)) {
	link, ok, err := l.sys.predecessor()
	if !ok || err != nil {
		start(err)
		return
	}
	adopted.follow()
	t := &takeover{link: link, began: time.Now(), start: start}
	l.takeover = t
	l.work(func() func() {
		_ = t.link.Read(func(m *successor.Message, files []*descriptor.FD) {
			l.m.calls <- func(l *loop) { l.fromPredecessor(t, m, files) }
		})
		return func() { l.orphaned(t) }
	})
}

// fromPredecessor takes a message of the old master, and its files.
func (l *loop) fromPredecessor(t *takeover, m *successor.Message, files []*descriptor.FD) {
	l.checkStop(t)
	do := t.Receive(m)
	switch {
	case do == successor.AdoptGiven:
		adopted.adopt(m.Given, files)
		return
	case do == successor.AdoptSocket && l.takeover == t:
		if err := l.sockets.adopt(m.Socket, files); err != nil {
			l.failTakeover(err)
		}
		return
	}
	descriptor.CloseAll(files)
	l.obey(t, do, m)
}

// obey does what doesn't need m's files.
func (l *loop) obey(t *takeover, do successor.Action, m *successor.Message) {
	switch do {
	case successor.Begin:
		l.adopt(m.State)
		t.start(nil)
	case successor.TakeOver:
		l.takeOver(t)
	case successor.CatchUp:
		l.late(m.State)
	case successor.Withdraw, successor.StopPool:
		l.stopTakeover(t, do)
	}
	if m.Kind == successor.Stop && m.AtOnce {
		l.killAll()
	}
}

// stopTakeover does what a stop message asks for.
func (l *loop) stopTakeover(t *takeover, do successor.Action) {
	if do == successor.Withdraw && l.takeover == t {
		l.failTakeover(errors.New("it was not wanted any more"))
		return
	}
	l.stopPool()
}

// checkStop tells the state machine if this master stops.
func (l *loop) checkStop(t *takeover) {
	if !l.keepsServing() {
		t.Stopped()
	}
}

// trial begins when a new master's workers are all ready: they have to live for
// MinUptime, as in a reload.
func (l *loop) trial(t *takeover) {
	l.after(max(l.pool.policy.WithDefaults().MinUptime, 0), func() {
		l.checkStop(t)
		if l.takeover != t || !t.Passed() {
			return
		}
		t.link.Send(&successor.Message{Kind: successor.Ready})
		if t.Next() == successor.TakeOver {
			l.takeOver(t)
		}
	})
}

// boundStart bounds how long the workers of a new master may take to become ready. A first
// master's may take as long as they need, because there is nothing to fall back on.
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

// diedOnTrial fails the takeover if a worker has died before this master has taken over.
func (l *loop) diedOnTrial(m *member) {
	if t := l.takeover; t != nil && t.OnTrial() && m.pooled && !m.Voluntary && l.pool != nil {
		l.failTakeover(&StartError{Worker: m.ID, PID: m.pid(), Exit: m.exit})
	}
}

// failTakeover leaves the service to the old master.
func (l *loop) failTakeover(err error) {
	if !l.keepsServing() {
		return
	}
	l.log.Error("rota: no takeover, the old master keeps its place", "err", err)
	l.takeover.link.Send(successor.Failure(err))
	if l.pool.preparing && l.pool.goal.Generation == 0 {
		l.finishPool(err)
		return
	}
	l.pool.err = err
	l.stopPool()
}

// orphaned closes this master's end of the link when the old one's is closed. If this master
// has not taken over yet, the old one has died.
func (l *loop) orphaned(t *takeover) {
	t.link.Abort()
	if l.takeover != t {
		return
	}
	l.checkStop(t)
	switch t.Lost() {
	case successor.Abort:
		l.finishPool(errors.New("the old master is gone, and has told nothing"))
	case successor.TakeOver:
		l.takeOver(t)
	}
}

// takeOver writes the ready byte, on which the old master retires.
func (l *loop) takeOver(t *takeover) {
	l.work(func() func() {
		err := l.sys.signalReady()
		return func() { l.tookOver(t, err) }
	})
}

func (l *loop) tookOver(t *takeover, err error) {
	t.TookOver()
	l.takeover = nil
	l.sockets.own()
	if err != nil {
		l.log.Warn("rota: the old master died during the upgrade", "err", err)
	}
	l.log.Info("rota: master took over", "pid", os.Getpid(), "took", time.Since(t.began).Round(time.Millisecond))
	if l.pool == nil {
		return
	}
	l.dirty = true
	l.sweep()
	l.publishPID()
	if s := t.Final(); s != nil {
		l.lastID = max(l.lastID, s.LastID)
		l.late(s)
	}
	l.nextReload() // what was asked of this master before
}

// reportGivenUp tells the old master why this one exits without having taken over. err is
// nil if it was told to stop.
func (l *loop) reportGivenUp(err error) {
	t := l.takeover
	if t == nil {
		return
	}
	l.takeover = nil
	t.Stopped()
	t.link.Send(successor.Failure(err))
	l.work(func() func() {
		t.link.Close()
		return func() {}
	})
}
