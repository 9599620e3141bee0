package spread

import "time"

// RestAfter is how long all queues of a socket must have been empty before nobody looks at them
// any more, until a connection comes.
const RestAfter = time.Second

// Patrol looks at the queues of sockets while connections come to them, and sleeps otherwise. Its methods
// are called on one goroutine, on which it calls its functions. These are set before.
type Patrol struct {
	After  func(d time.Duration, f func()) (stop func()) // calls f on that goroutine after d
	Queues func(id int) []int                            // the descriptors of a socket's queues; none: nobody need look at them
	Look   func(id int, now time.Time) (waits bool)      // is called each Tick, and reports whether somebody waits there
	Rest   func(id int)                                  // is called before nobody looks any more

	sentry *Sentry           // nil: there are no such queues
	busy   map[int]time.Time // when a connection was last seen waiting, by the id of a socket that is looked at
	looks  bool              // a timer runs
	stop   func()            // stops the timer
}

// Guard has the next connection to a socket be noticed, unless its queues are looked at.
func (p *Patrol) Guard(id int) {
	if len(p.Queues(id)) == 0 || p.sentry == nil && !p.post() {
		return
	}
	if p.busy[id].IsZero() {
		p.rest(id)
	}
}

// post makes the sentry, and waits for it on a goroutine that ends when the sentry is closed.
func (p *Patrol) post() bool {
	sentry, err := NewSentry()
	if err != nil {
		return false // out of descriptors, for example; the next call tries again
	}
	p.sentry, p.busy = sentry, map[int]time.Time{}
	go func() {
		for id, err := sentry.Wait(); err == nil; id, err = sentry.Wait() {
			p.After(0, func() { p.wake(id) })
		}
	}()
	return true
}

// wake begins to look at the queues of a socket, which the sentry has reported.
func (p *Patrol) wake(id int) {
	if p.sentry == nil {
		return
	}
	p.busy[id] = time.Now()
	if !p.looks {
		p.look()
	}
}

// look looks at the queues of all sockets that are busy, and again after a tick.
func (p *Patrol) look() {
	now := time.Now()
	for id, busy := range p.busy {
		switch {
		case len(p.Queues(id)) == 0:
			delete(p.busy, id)
		case now.Sub(busy) > RestAfter:
			delete(p.busy, id)
			p.Rest(id)
			p.rest(id)
		case p.Look(id, now):
			p.busy[id] = now
		}
	}
	if p.looks = len(p.busy) > 0; p.looks {
		p.stop = p.After(Tick, p.look)
	}
}

// rest has the sentry wait for the next connection to a socket.
func (p *Patrol) rest(id int) {
	for _, fd := range p.Queues(id) {
		_ = p.sentry.Arm(fd, id) // without it nobody helps this slot
	}
}

// Forget is called before the descriptor of a queue is closed.
func (p *Patrol) Forget(fd int) {
	if p.sentry != nil {
		p.sentry.Forget(fd)
	}
}

// Close ends the looks. Guard begins anew.
func (p *Patrol) Close() {
	if p.sentry == nil {
		return
	}
	p.sentry.Close()
	if p.looks {
		p.stop()
	}
	p.sentry, p.busy, p.looks = nil, nil, false
}
