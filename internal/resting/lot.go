// Package resting keeps connections that have moved to this worker until their clients send the
// next request; only then the program gets them. Until then a connection is a descriptor, without
// a goroutine or a buffer, and moves on as one. It works where package handover does.
package resting

import (
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
)

const (
	tick       = time.Second           // how often it is looked whose time has passed
	retryPause = 10 * time.Millisecond // before the next attempt, where there are too many open files
	lookEach   = 10                    // attempts: it is looked who has gone
)

// Owner is the listening socket of a connection.
type Owner interface {
	// Give has the program accept c. It owns c. Left is how long the program would still wait for the client, 0: without a limit.
	Give(c net.Conn, left time.Duration)
	// Closed reports whether the program has closed the socket. It is true before Drop is called.
	Closed() bool
}

// Conn is a connection at rest.
type Conn struct {
	fd     *descriptor.FD // owned by the Conn
	owner  Owner
	cookie uint64    // of the socket
	until  time.Time // the program would wait for its client until then; zero: without a limit
}

// NewConn returns a Conn of fd, which it owns. Left is how long the program would wait for the next
// request; 0: it sets no time.
func NewConn(fd *descriptor.FD, owner Owner, cookie uint64, left time.Duration) *Conn {
	return &Conn{fd: fd, owner: owner, cookie: cookie, until: handover.Until(left)}
}

// Control calls f with the descriptor. Conn is a handover.Held.
func (c *Conn) Control(f func(fd uintptr)) error {
	f(uintptr(c.fd.Int()))
	return nil
}

// Lot is the connections at rest of a worker. Its methods may be called from any goroutine.
type Lot struct {
	fewer func()        // called when Len has become less
	moved *atomic.Int64 // counts those that have moved on

	mu     sync.Mutex
	poller *poller // nil until Ready
	conns  map[int]*Conn
	busy   int  // taken out of conns, and neither given away nor closed yet
	timed  bool // the poller wakes its goroutine after the tick
	left   bool // Leave was called
	closed bool

	giving  sync.Mutex // held by who uses adopter
	adopter adopter    // nil until Ready
}

// adopter is a descriptor.Adopter.
type adopter interface {
	Take(*descriptor.FD) (net.Conn, error)
	Again() (net.Conn, error)
	Clear()
	Close()
}

// New returns a Lot without connections, which takes no descriptors before Ready. It calls fewer when
// there are fewer connections, and counts in moved those that have moved on.
func New(fewer func(), moved *atomic.Int64) *Lot {
	return &Lot{fewer: fewer, moved: moved, conns: map[int]*Conn{}}
}

// Ready reports whether connections can rest here: this process has the descriptors that it needs
// for that, and doesn't leave.
func (l *Lot) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.poller == nil && !l.left {
		l.start()
	}
	return l.poller != nil && !l.left
}

// start makes what Ready needs, if it can. The caller holds mu.
func (l *Lot) start() {
	adopter, err := descriptor.NewAdopter()
	if err != nil {
		return
	}
	p, err := newPoller()
	if err != nil {
		adopter.Close()
		return
	}
	l.adopter, l.poller = adopter, p
	go l.run(p)
}

// Len returns how many connections rest here, or have not been given to the program yet.
func (l *Lot) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) + l.busy
}

// Rest keeps c, which it owns. Ready was true before; if Leave was called since then, or the kernel can't watch
// another socket, the program gets c. If Drop was, c is closed.
func (l *Lot) Rest(c *Conn) {
	if !l.keep(c, 1) {
		l.wake([]*Conn{c})
	} else if c.owner.Closed() {
		l.Drop(c.owner)
	}
}

// Again is Rest for a connection that the program has. It reports false where Rest would give it to the program: then c is the caller's.
func (l *Lot) Again(c *Conn) bool {
	if !l.keep(c, 0) {
		return false
	}
	if c.owner.Closed() {
		l.Drop(c.owner)
	}
	return true
}

// keep reports whether c rests here from now on. If not, so many more are busy.
func (l *Lot) keep(c *Conn, busy int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left || l.poller.add(c.fd.Int()) != nil {
		l.busy += busy
		return false
	}
	l.conns[c.fd.Int()] = c
	if !l.timed && !c.until.IsZero() {
		l.timed = true
		l.poller.wakeIn(tick)
	}
	return true
}

// all is more than there are, and every matches all of them.
const all = math.MaxInt

func every(*Conn) bool { return true }

// take takes connections that match out of the Lot, n at most. They count as busy.
func (l *Lot) take(n int, match func(*Conn) bool) (some []*Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		if len(some) < n && match(c) {
			some = append(some, l.remove(c))
		}
	}
	return some
}

// remove takes c out of the Lot. The caller holds mu. The poller would know the connection for as long
// as any process has it.
func (l *Lot) remove(c *Conn) *Conn {
	delete(l.conns, c.fd.Int())
	l.poller.remove(c.fd.Int())
	l.busy++
	return c
}

// settled says that n connections aren't busy any more.
func (l *Lot) settled(n int) {
	l.mu.Lock()
	l.busy -= n
	l.mu.Unlock()
	if n > 0 {
		l.fewer()
	}
}

// run gives connections to the program whose clients have sent, or whose time has passed, and closes those
// whose clients have gone.
func (l *Lot) run(p *poller) {
	for {
		ready, err := p.wait()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.expire(time.Now())
			continue
		}
		if err != nil {
			return // it is closed
		}
		l.wake(l.found(ready))
	}
}

// found takes the connections with these descriptors out of the Lot.
func (l *Lot) found(fds []int) (some []*Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fd := range fds {
		if c := l.conns[fd]; c != nil {
			some = append(some, l.remove(c))
		}
	}
	return some
}

// expire gives the connections to the program whose time has passed.
func (l *Lot) expire(now time.Time) {
	l.wake(l.take(all, func(c *Conn) bool { return !c.until.IsZero() && !now.Before(c.until) }))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timed = false
	for _, c := range l.conns {
		l.timed = l.timed || !c.until.IsZero()
	}
	if l.timed {
		l.poller.wakeIn(tick)
	} else {
		l.poller.wakeNever()
	}
}

// wake closes connections that are busy whose clients have gone, and has the program get the others. It doesn't
// wait for that: where there are too many open files, it may take until Close.
func (l *Lot) wake(some []*Conn) {
	if some = l.closeEnded(some); len(some) > 0 {
		go l.giveAll(some)
	}
}

// closeEnded closes connections that are busy whose clients have gone, and returns the others, in the place of some.
func (l *Lot) closeEnded(some []*Conn) (others []*Conn) {
	others = some[:0]
	var ended []*Conn
	for _, c := range some {
		if hasEnded(c.fd.Int()) {
			ended = append(ended, c)
		} else {
			others = append(others, c)
		}
	}
	l.closeAll(ended)
	return others
}

// giveAll gives connections that are busy to the program. After Close it closes them.
func (l *Lot) giveAll(some []*Conn) {
	l.giving.Lock()
	defer l.giving.Unlock()
	defer l.adopter.Clear()
	for len(some) > 0 && !l.isClosed() {
		some = l.give(some[0], some[1:])
	}
	l.closeAll(some)
}

// give gives c to the program. Where this process has too many open files, c waits, and those of others that end
// meanwhile make some free. It returns the rest of them. The caller holds giving.
func (l *Lot) give(c *Conn, others []*Conn) []*Conn {
	conn, err := l.adopter.Take(c.fd)
	for i := 1; descriptor.RunOut(err) && l.pause(); i++ {
		if i%lookEach == 0 {
			others = l.closeEnded(others)
		}
		conn, err = l.adopter.Again()
	}
	if err == nil {
		c.owner.Give(conn, handover.Left(c.until))
	}
	l.settled(1)
	return others
}

// pause waits before the next attempt, and reports whether there is one: Close wasn't called.
func (l *Lot) pause() bool {
	time.Sleep(retryPause)
	return !l.isClosed()
}

// isClosed reports whether Close was called.
func (l *Lot) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// closeAll closes connections that are busy.
func (l *Lot) closeAll(some []*Conn) {
	for _, c := range some {
		_ = c.fd.Close() // nothing was written to it
	}
	l.settled(len(some))
}

// Drop closes the connections of an owner, which listens no more.
func (l *Lot) Drop(o Owner) {
	l.closeAll(l.take(all, func(c *Conn) bool { return c.owner == o }))
}

// Move has up to n connections move by m, and returns how many have. The others stay.
func (l *Lot) Move(m *handover.Mover, n int) (moved int) {
	moved, stay := l.move(m, n)
	for _, c := range stay {
		l.Rest(c)
	}
	l.settled(len(stay))
	return moved
}

// move has up to n connections move by m, and returns those that it doesn't take, which are busy.
func (l *Lot) move(m *handover.Mover, n int) (moved int, stay []*Conn) {
	some := l.take(n, every)
	items := make([]handover.Item, 0, len(some))
	for _, c := range some {
		items = append(items, handover.Item{Cookie: c.cookie, Conn: c, Rest: handover.Left(c.until)})
	}
	var gone []*Conn
	for i, taken := range m.MoveAll(items) {
		if taken {
			gone = append(gone, some[i])
		} else {
			stay = append(stay, some[i])
		}
	}
	l.moved.Add(int64(len(gone)))
	l.closeAll(gone) // this process's copies
	return len(gone), stay
}

// Leave ends the resting: connections move by m, unless it is nil, and the program gets the others,
// and those that come later. It doesn't wait until the program has them; Len counts them until then.
func (l *Lot) Leave(m *handover.Mover) {
	l.mu.Lock()
	l.left = true
	l.mu.Unlock()
	if m != nil {
		_, stay := l.move(m, all)
		l.wake(stay)
	}
	l.wake(l.take(all, every))
}

// Close closes what is in the Lot.
func (l *Lot) Close() {
	l.mu.Lock()
	l.left, l.closed = true, true
	p := l.poller
	l.mu.Unlock()
	if p == nil {
		return
	}
	l.giving.Lock() // a connection that waits for a free descriptor gets none of those below
	defer l.giving.Unlock()
	l.closeAll(l.take(all, every))
	p.close()
	l.adopter.Close()
}
