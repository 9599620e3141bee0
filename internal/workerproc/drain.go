package workerproc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/pace"
)

const (
	drainTick    = 100 * time.Millisecond // how often idle connections are looked at
	flushAtLeast = time.Second            // for what was sent to the master, whatever is left of the grace
)

// drain is what a worker has to see off before it may leave: the sockets that it
// listens on, the connections that it has accepted, the hooks of the program.
type drain struct {
	draining atomic.Bool   // set first of all, read by every conn
	pace     pace.Pace     // begins with it
	begun    chan struct{} // closed when the drain begins
	over     chan struct{} // closed when the worker has left
	changed  chan struct{} // capacity 1: something may have come to its end

	accepting atomic.Int64 // Accepts that may hold a connection not yet in conns

	mu      sync.Mutex
	sources map[source]bool
	conns   conns
	hooks   hooks
}

// source is a socket from which new work comes.
type source interface {
	stop()      // give up this process's copy; nothing new comes afterwards
	busy() bool // after stop: work that came from here is still in hand
}

func newDrain() *drain {
	return &drain{
		begun:   make(chan struct{}),
		over:    make(chan struct{}),
		changed: make(chan struct{}, 1),
		sources: make(map[source]bool),
	}
}

// addSource reports whether s may be used: not when the drain has begun.
func (d *drain) addSource(s source) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining.Load() {
		return false
	}
	d.sources[s] = true
	return true
}

func (d *drain) removeSource(s source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sources, s)
	d.notify()
}

// addConn counts an accepted connection, between enter and leave of its Accept.
func (d *drain) addConn(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns.add(c)
}

func (d *drain) removeConn(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns.remove(c)
	d.notify()
}

// enter and leave stand around every Accept. A connection that accept(2) has
// returned and nobody has counted yet is thus never overlooked.
func (d *drain) enter() { d.accepting.Add(1) }

func (d *drain) leave() {
	if d.accepting.Add(-1) == 0 && d.draining.Load() {
		d.notify()
	}
}

// notify wakes the goroutine in run.
func (d *drain) notify() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run sees everything off and returns when nothing is left, or after the grace,
// when it has closed what was.
func (d *drain) run(grace, idleGrace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	d.begin(ctx)
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	limit := int(idleGrace / drainTick)
	for ticks := 0; !d.empty(); {
		select {
		case <-d.changed:
		case <-tick.C:
			ticks++
			d.endIdle(limit)
			if ticks >= limit || !d.expectsRequest(ticks) {
				d.runHooks()
			}
		case <-ctx.Done():
			d.closeRest()
			return
		}
	}
}

// begin stops the sources first, then tells everybody.
func (d *drain) begin(ctx context.Context) {
	for _, s := range d.close(ctx) {
		s.stop()
	}
	close(d.begun)
}

// close lets no further source in, and returns those that there are.
func (d *drain) close(ctx context.Context) (sources []source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end, _ := ctx.Deadline()
	d.pace.Begin(d.conns.n, time.Until(end)/4)
	d.draining.Store(true)
	d.hooks.ctx = ctx
	for s := range d.sources {
		sources = append(sources, s)
	}
	return sources
}

// empty reports whether nothing is left. The hooks run at the latest when no
// connection is.
func (d *drain) empty() bool {
	if d.accepting.Load() > 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns.n > 0 {
		return false
	}
	d.hooks.run(d.ended)
	for s := range d.sources {
		if s.busy() {
			return false
		}
	}
	return d.hooks.running == 0
}

func (d *drain) runHooks() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.run(d.ended)
}

// addHook runs f at once if it is time for the hooks.
func (d *drain) addHook(f func(context.Context) error, failed func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.add(hook{f, failed}, d.ended)
}

// ended: a hook has returned.
func (d *drain) ended() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.running--
	d.notify()
}

// expectsRequest reports whether some connection may still bring a request that
// the program hasn't begun to handle.
func (d *drain) expectsRequest(ticks int) (expects bool) {
	for _, c := range d.list() {
		expects = c.expectsRequest(ticks) || expects // ask all: each compares with the last tick
	}
	return expects
}

// endIdle ends HTTP/1 connections that were silent for limit ticks.
func (d *drain) endIdle(limit int) {
	for _, c := range d.list() {
		c.idleTick(limit)
	}
}

// closeRest closes what the grace has not seen off: first who has its answer,
// so that the last moments of the grace go to those who wait for one.
func (d *drain) closeRest() {
	rest := d.list()
	for _, c := range rest {
		if c.quiet() {
			c.Close()
		}
	}
	for _, c := range rest {
		c.Close()
	}
}

func (d *drain) list() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conns.list()
}
