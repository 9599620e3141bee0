package child

import (
	"os"
	"sync"
)

// Voluntariness says whether the end of a worker was asked for.
type Voluntariness int

// The values of Voluntariness.
const (
	Unknown Voluntariness = iota
	Voluntary
	Involuntary
)

// Snapshot is what a worker answers when it is asked for its state.
type Snapshot[S any] struct {
	State     S
	Connected bool
	Voluntary Voluntariness
	Process   *os.Process // nil: there is none
	Link      Link        // nil: there is none
}

// Published is the latest Snapshot of a worker. The master's loop replaces it as a whole;
// any goroutine may read it.
type Published[S any] struct {
	mu  sync.Mutex
	now Snapshot[S]
}

// Now returns the latest snapshot.
func (p *Published[S]) Now() Snapshot[S] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Publish replaces the snapshot, except for Voluntary.
func (p *Published[S]) Publish(s Snapshot[S]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Voluntary = p.now.Voluntary
	p.now = s
}

// Decide sets whether the end is voluntary, unless that is known already. Any goroutine may
// call it: what a program has asked for is true at once.
func (p *Published[S]) Decide(v Voluntariness) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Voluntary == Unknown {
		p.now.Voluntary = v
	}
}
