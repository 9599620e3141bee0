// Package gate bounds what waits between a goroutine that reads a link and the one
// that calls the program's functions. A peer that sends faster than the program
// listens is not read any more, and feels it: that is the whole of back-pressure.
package gate

import "sync"

// Gate counts what is inside. Its limit is soft: whoever finds the gate open enters
// with all that it has, so that no message is too large to come through.
type Gate struct {
	mu     sync.Mutex
	room   sync.Cond
	inside int
	limit  int // negative: none
	shut   bool
}

// New returns a gate for about limit bytes.
func New(limit int) *Gate {
	g := &Gate{limit: limit}
	g.room.L = &g.mu
	return g
}

// Enter waits until there is room, and takes n.
func (g *Gate) Enter(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = g.shut || g.full(g.limit)
	for g.shut {
		g.room.Wait()
	}
	g.inside += n
}

func (g *Gate) full(limit int) bool { return g.limit >= 0 && g.inside > limit }

// Leave gives n back. A gate that was full opens when half of it has left: a reader
// that is woken for every message is slower than one that sleeps for many.
func (g *Gate) Leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside -= n
	g.open()
}

// Widen changes the limit, never to a smaller one. Negative means none.
func (g *Gate) Widen(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit >= 0 && (limit < 0 || limit > g.limit) {
		g.limit = limit
		g.open()
	}
}

func (g *Gate) open() {
	if g.shut && !g.full(g.limit/2) {
		g.shut = false
		g.room.Broadcast()
	}
}
