package turn

import (
	"net"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// standby is a time in which no Accept of a Listener begins to wait for connections. The Listener's mu
// guards it.
type standby struct {
	is       bool
	ends     *time.Timer
	deadline time.Time     // of Accept
	closed   bool          // the Listener
	changed  chan struct{} // closed at a change; nil: no Accept waits for one
}

// StandBy is that of ln, if it is a Listener.
func StandBy(ln net.Listener, d time.Duration) {
	if l, ok := ln.(*Listener); ok {
		l.StandBy(d)
	}
}

// StandBy has no Accept wait for connections for a while: other processes accept them. With 0 that ends. An Accept that
// waits already has its turn first if a connection is there.
func (l *Listener) StandBy(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standby.stop()
	if l.standby.is = d > 0; l.standby.is {
		l.standby.ends = time.AfterFunc(d, func() { l.StandBy(0) })
	}
	switch {
	case l.waiting == 0:
	case l.standby.is:
		_ = l.raw.Control(l.pause) // fails if it is closed
	default:
		_ = l.raw.Control(l.add)
	}
	l.standby.change()
}

// pause has the poller wait no longer. The kernel may have woken this process for a connection that is there, and nobody else.
func (l *Listener) pause(fd uintptr) {
	l.remove(fd)
	if descriptor.Waiting(int(fd)) {
		l.add(fd)
	}
}

// awaitTurn waits until the listener doesn't stand by, or Accept fails anyway. It unlocks mu meanwhile.
func (l *Listener) awaitTurn() {
	s := &l.standby
	for s.is && !s.closed && (s.deadline.IsZero() || time.Now().Before(s.deadline)) {
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed, deadline := s.changed, s.deadline
		l.mu.Unlock()
		await(changed, deadline)
		l.mu.Lock()
	}
}

// await waits until changed is closed, or for the deadline, if there is one.
func await(changed <-chan struct{}, deadline time.Time) {
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-changed:
	case <-late:
	}
}

func (s *standby) stop() {
	if s.ends != nil {
		s.ends.Stop()
	}
}

// change has each Accept that waits look again.
func (s *standby) change() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// SetDeadline is that of package net.
func (l *Listener) SetDeadline(t time.Time) error {
	err := l.netListener.SetDeadline(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standby.deadline = t
	l.standby.change()
	return err
}

// Close is that of package net.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.standby.closed = true
	l.standby.stop()
	l.standby.change()
	l.mu.Unlock()
	return l.netListener.Close()
}
