// Package turn has the listener of a socket from which several processes accept: a connection
// wakes the one process that has waited for longest, and not each that waits.
package turn

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Poller is Go's poller, which the kernel wakes. The zero value is ready. It may be used by several
// goroutines.
type Poller struct {
	once  sync.Once
	epoll int // the runtime's descriptor; negative if it can't be used
}

// Listener is package net's listener of a shared socket. Go's poller waits for connections only
// while an Accept does, and each Accept takes its turn behind all other processes that wait. A
// process that does something else is not waiting, and has no turn.
//
// Everything but Accept and StandBy is package net's.
type Listener struct {
	netListener
	poller *Poller
	raw    syscall.RawConn

	mu          sync.Mutex
	taken       bool             // take was called
	add, remove func(fd uintptr) // have the poller wait for connections, and no longer; do nothing if it can't be changed
	waiting     int              // Accepts
	standby     standby
}

// netListener is a *net.TCPListener or a *net.UnixListener.
type netListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// Listen returns a Listener that owns ln, of package net, and true. Where there can be none it
// returns ln and false: elsewhere than on Linux from 4.5 on, without /proc, and for other types.
//
// The first Accept takes the socket out of the poller, which takes some microseconds. Until then the
// process is woken for each connection; if quiet is set, Listen does it.
func (p *Poller) Listen(ln net.Listener, quiet bool) (net.Listener, bool) {
	inner, ok := ln.(netListener)
	if !ok {
		return ln, false
	}
	raw, err := inner.SyscallConn()
	if err != nil {
		return ln, false
	}
	l := &Listener{netListener: inner, poller: p, raw: raw}
	if !p.works() || quiet && !l.take() {
		return ln, false
	}
	return l, true
}

// take takes the socket out of the poller, once. It reports whether that could be done. The caller
// holds mu, or is Listen.
func (l *Listener) take() bool {
	ok := true
	if !l.taken {
		l.taken = true
		if l.add, l.remove, ok = l.poller.take(l.raw); !ok {
			l.add, l.remove = func(uintptr) {}, func(uintptr) {}
		}
	}
	return ok
}

// Kind returns the listener of package net.
func (l *Listener) Kind() net.Listener { return l.netListener }

// Accept is that of package net.
func (l *Listener) Accept() (net.Conn, error) {
	l.enter()
	defer l.leave()
	return l.netListener.Accept()
}

// enter has the poller wait for connections when it is this process's turn. It comes before accept(2), which finds those that are
// there already.
func (l *Listener) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitTurn()
	if l.waiting++; l.waiting == 1 {
		l.take()
		_ = l.raw.Control(l.add) // fails if it is closed: then Accept fails too
	}
}

// leave ends the turn of an Accept. If others of this process wait, theirs begins.
func (l *Listener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.raw.Control(l.remove) // fails if it is closed
	if l.waiting--; l.waiting > 0 && !l.standby.is {
		_ = l.raw.Control(l.add)
	}
}
