package master

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/sdnotify"
	"github.com/rota-go/rota/internal/view"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// Status returns what the master knows now. After Close it is the zero Status.
func (m *Master) Status() (s status.Status) {
	s, _ = m.ask()
	return s
}

// Count is Status with what the workers have counted by now: it asks them, those that drain
// too, and waits for their answers until ctx ends. What a worker that has left had counted stays
// in Status.Total, so that no sum falls. Of a worker that has crashed, what it had counted since it
// was last asked is lost.
func (m *Master) Count(ctx context.Context) status.Status {
	counted := make(chan error, 1)
	err := m.loop.Ask(func(l *loop) error {
		l.counts.Ask(l.askCounters(), func() { counted <- nil })
		return nil
	})
	if err == nil {
		_ = m.loop.Wait(ctx, counted) // a worker that doesn't answer has its last counters
	}
	return m.Status()
}

// askCounters asks the workers for what they have counted, and returns the ids of those that will answer.
func (l *loop) askCounters() map[int]bool {
	ids := map[int]bool{}
	for _, m := range l.members.All() {
		if m.linkOpen && m.hello != nil && m.hello.Counts {
			ids[m.ID] = true
			m.send(wire.Count, nil)
		}
	}
	return ids
}

// Watch returns a channel that has the Status of now, and then one after each change, at most
// one in 20 ms, or in 2 ms for each reader if more than ten watch (200 ms at most). A reader that
// is slow misses some, never the newest, and delays nobody. How many connections wait in a queue,
// and the passing of time, are no changes. The channel is closed when ctx ends, or the master.
func (m *Master) Watch(ctx context.Context) <-chan status.Status { return m.statuses.Watch(ctx) }

// Restart has Run replace a worker, its successor ready first, when no reload is under way, and
// returns at once. It fails with ErrNoWorker if Run has no worker with this id that serves, and
// with ErrClosed. status.By says who asks.
func (m *Master) Restart(ctx context.Context, id int) error {
	return m.loop.Ask(func(l *loop) error {
		mb := l.members.Get(id)
		if mb == nil || !mb.pooled || !mb.serving() {
			return fmt.Errorf("restart worker %d: %w", id, ErrNoWorker)
		}
		l.book.Add(status.Change{Kind: status.Restart, Began: time.Now(), By: status.Caller(ctx), Worker: id, Slot: mb.Slot})
		l.care.Recycle(&mb.care, "restart")
		return nil
	})
}

// SharedFile returns a file in memory that all workers share, as worker.Worker.SharedFile does. The
// caller closes it. After Close it fails with ErrClosed. In the new master of an upgrade it fails with ErrNotRunning until Run
// has the files of the old one, as in a function of rota.OnMaster, which is called before: another file would be made.
func (m *Master) SharedFile(name string, size int64) (f *os.File, err error) {
	err = m.loop.Ask(func(l *loop) (err error) {
		l.takeUpFirst()
		if l.lastGen == 0 && (l.takeover != nil || l.sys.masters.Follows()) {
			return fmt.Errorf("shared file %q: those of the old master are not there yet: %w", name, ErrNotRunning)
		}
		f, err = l.shared.OpenFile(name, size)
		return err
	})
	return f, err
}

// ask asks the loop for the status. ok is false after Close.
func (m *Master) ask() (s status.Status, ok bool) {
	err := m.loop.Ask(func(l *loop) error { s = l.status(); return nil })
	return s, err == nil
}

func (l *loop) status() status.Status {
	var goal reload.Goal
	if l.pool != nil {
		goal = l.pool.goal
	}
	v := view.New(time.Now(), l.state, goal, l.sockets.Status(), l.counts.Total(), &l.book)
	for _, m := range l.members.All() {
		if m.alive() {
			v.Add(&m.Member, m.state(), m.pid(), !m.pooled, l.counts.Of(m.ID), m.gen.Runs())
		}
	}
	v.AddBackoffs(l.rota.Backoffs())
	return v.Status()
}

// report tells those who watch, and systemd, what has changed since the last report. The loop
// calls it after each event, and feeds the watchdog here: if the loop hangs, systemd notices.
func (l *loop) report() {
	l.m.statuses.Changed()
	n := l.systemd
	if !n.Active() || l.takeover != nil || l.pool == nil {
		return
	}
	if again := n.Feed(); again > 0 {
		l.after(again, func() {})
	}
	n.Report(sdnotify.NewStatus(l.state, l.pool.goal, l.rota, l.lastGen, l.upgrade != nil, l.failed))
}
