package master

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/newest"
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
	counted, ids := make(chan error, 1), map[int]bool{}
	err := m.loop.Ask(func(l *loop) error {
		for id, m := range l.members {
			if m.linkOpen && m.hello != nil && m.hello.Counts {
				ids[id] = true
				m.send(wire.Count, nil)
			}
		}
		l.counts.Ask(ids, func() { counted <- nil })
		return nil
	})
	if err == nil {
		_ = m.loop.Wait(ctx, counted) // a worker that doesn't answer has its last counters
	}
	return m.Status()
}

// Watch returns a channel that has the Status of now, and then one after each change, at most
// one in 20 ms. A reader that is slow misses some, never the newest, and delays nobody. How
// many connections wait in a queue, and the passing of time, are no changes. The channel is
// closed when ctx ends, or the master.
func (m *Master) Watch(ctx context.Context) <-chan status.Status { return m.statuses.Watch(ctx) }

// Restart has Run replace a worker, its successor ready first, when no reload is under way, and
// returns at once. It fails with ErrNoWorker if Run has no worker with this id that serves, and
// with ErrClosed. status.By says who asks.
func (m *Master) Restart(ctx context.Context, id int) error {
	return m.loop.Ask(func(l *loop) error {
		mb := l.members[id]
		if mb == nil || !mb.pooled || !mb.serving() {
			return fmt.Errorf("restart worker %d: %w", id, ErrNoWorker)
		}
		l.book.Add(status.Change{Kind: status.Restart, Began: time.Now(), By: status.Caller(ctx), Worker: id, Slot: mb.Slot})
		l.care.Recycle(&mb.care, "restart")
		return nil
	})
}

// SharedFile returns a file in memory that all workers share, as worker.Worker.SharedFile does. The
// caller closes it. After Close it fails with ErrClosed.
func (m *Master) SharedFile(name string, size int64) (f *os.File, err error) {
	err = m.loop.Ask(func(l *loop) error {
		fd, err := l.shared.Open(name, size)
		if err == nil {
			f, err = fd.File(name)
			_ = fd.Close() // f has a duplicate
		}
		return err
	})
	return f, err
}

// countTimeout is how long the answer to a worker that asks for the status waits for other workers.
const countTimeout = 500 * time.Millisecond

// newCounted returns the source of what workers get that ask for the status: however many ask, the
// loop is asked once in newest.Pause.
func (l *loop) newCounted() *newest.Source[status.Status] {
	return &newest.Source[status.Status]{Get: func() (status.Status, bool) {
		ctx, cancel := context.WithTimeout(l.ctx, countTimeout)
		defer cancel()
		return l.m.Count(ctx), true
	}}
}

// tellStatus answers a worker that asks for the status. It may ask again when it has the answer.
func (l *loop) tellStatus(m *member, call uint32) error {
	if m.asks {
		return fmt.Errorf("%w: %v again before the answer", wire.ErrType, wire.AskStatus)
	}
	m.asks = true
	l.work(func() func() {
		s, _ := l.counted.Now()
		body := wire.Body(s)
		return func() {
			m.asks = false
			_ = m.process.Link.Send(wire.Frame{Type: wire.Status, Call: call, Body: body}) // fails if the worker ends
		}
	})
	return nil
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
	for _, m := range l.members {
		if m.alive() {
			v.Add(&m.Member, m.state(), m.pid(), !m.pooled, l.counts.Of(m.ID), m.gen.Runs())
		}
	}
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
	n.Report(sdnotify.NewStatus(l.state, l.pool.goal, l.pooled(), l.lastGen, l.upgrade != nil, l.failed))
}
