package workerproc

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/grace"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/hooks"
	"github.com/rota-go/rota/internal/ratelimit"
	"github.com/rota-go/rota/internal/resting"
)

const (
	drainTick    = 100 * time.Millisecond // how often idle connections are checked
	flushAtLeast = time.Second            // for frames to the master that are still queued when the grace ends

	usedAgain = 20 * time.Millisecond  // a connection that is used has its next request by then
	lingers   = 100 * time.Millisecond // how long a worker stays when its connections have moved
)

// drain holds what must end before the worker may leave: the sockets that it listens on,
// the connections that it has accepted, and the functions of OnDisconnect.
type drain struct {
	draining atomic.Bool       // set before the sources are closed; read by every connection
	limiter  ratelimit.Limiter // of Connection: close headers; started with the drain
	emptying chan struct{}     // closed when the program must accept what waits in the queues
	started  chan struct{}     // closed when all sources are closed
	left     chan struct{}     // closed when the worker has left
	grace    *grace.Grace      // for all that follows; the hooks' context
	changed  chan struct{}     // capacity 1: empty may return another result

	mover atomic.Pointer[handover.Mover] // nil: there is no receiver
	pairs int                            // on which connections of other workers may come; guarded by mu
	over  bool                           // the drain has ended; guarded by mu
	begun bool                           // the sources are closed; guarded by mu

	canHandOver chan struct{} // closed when begun and there is a receiver
	canHandOnce sync.Once

	resting *resting.Lot // connections of other workers that the program gets with their next request
	accepts atomic.Int64 // calls of accept(2) whose connection is not in conns yet

	mu      sync.Mutex
	sources map[source]bool
	conns   conn.List
	hooks   hooks.Hooks
}

// source is where a worker gets work from: a listener, a packet conn, or the inbox.
type source interface {
	closeSource() // the source brings no work afterwards
	busy() bool   // after closeSource: work of this source is not finished
}

func newDrain(moved *atomic.Int64) *drain {
	d := &drain{
		emptying:    make(chan struct{}),
		canHandOver: make(chan struct{}),
		started:     make(chan struct{}),
		left:        make(chan struct{}),
		changed:     make(chan struct{}, 1),
		grace:       grace.New(),
		sources:     make(map[source]bool),
	}
	d.resting = resting.New(d.notify, moved)
	return d
}

// addSource adds s. It returns false, and adds nothing, if the drain has begun.
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

// addConn adds an accepted connection. Its Accept calls it between acceptStarts and
// acceptEnds.
func (d *drain) addConn(c *conn.Tracked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns.Add(c)
}

func (d *drain) removeConn(c *conn.Tracked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns.Remove(c)
	d.notify()
}

// acceptStarts and acceptEnds are called before and after every Accept. Between them the
// drain is not empty, as accept(2) may have returned a connection that is not added yet.
func (d *drain) acceptStarts() { d.accepts.Add(1) }

func (d *drain) acceptEnds() {
	if d.accepts.Add(-1) == 0 && d.draining.Load() {
		d.notify()
	}
}

// notify has waitEmpty call empty again.
func (d *drain) notify() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run drains the worker. It calls begins when answers are those of a drain from now on, and returns when
// everything has ended. At the end of the grace it closes the connections that remain, and returns how many
// they were, and what is left of the grace.
func (d *drain) run(takes, idleGrace time.Duration, begins func()) (c conn.Kinds, left time.Duration) {
	d.grace.Begin(takes)
	defer d.grace.End()
	sources := d.setDraining(d.grace)
	begins()
	d.closeSources(d.grace, sources)
	defer d.moveIdle()()
	defer d.resting.Close()
	defer d.endMoves()
	if !d.waitEmpty(d.grace, int(min(idleGrace/drainTick, math.MaxInt32))) {
		c = d.closeRest()
	}
	return c, d.grace.Left()
}

// waitEmpty waits until everything has ended, and reports false if ctx ends before. Each
// tick it ends connections that are idle for limit ticks. It calls the hooks when no
// connection expects a request, after limit ticks at the latest.
func (d *drain) waitEmpty(ctx context.Context, limit int) bool {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for ticks := 0; !d.empty(); {
		select {
		case <-d.changed:
		case <-tick.C:
			ticks++
			if !d.tick(ticks, limit) || ticks >= limit {
				d.callHooks()
			}
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// closeSources closes the sources, and then the channel of Disconnecting. ctx ends with
// the grace.
func (d *drain) closeSources(ctx context.Context, sources []source) {
	d.emptyQueues(ctx, sources)
	var group sync.WaitGroup
	for _, s := range sources {
		group.Go(s.closeSource) // a packet conn may take its time, and no listener waits for it
	}
	group.Wait()
	close(d.started)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
	d.checkReceiver()
}

// setDraining makes addSource refuse further sources, and returns those added so far.
func (d *drain) setDraining(ctx context.Context) (sources []source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limiter.Start(d.conns.Len(), d.grace.Left()/4)
	d.draining.Store(true)
	d.hooks.Context = ctx
	for s := range d.sources {
		sources = append(sources, s)
	}
	return sources
}

// empty reports whether everything has ended; then the drain is over. If no connection is
// open, it calls the hooks first.
func (d *drain) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns.Len() > 0 || d.accepts.Load() > 0 || d.pairs > 0 || d.resting.Len() > 0 {
		return false
	}
	d.hooks.CallAll(d.hookReturned)
	for s := range d.sources {
		if s.busy() {
			return false
		}
	}
	d.over = d.hooks.Over()
	return d.over
}

// callHooks calls the functions of OnDisconnect, unless they have been called.
func (d *drain) callHooks() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.CallAll(d.hookReturned)
}

// addHook adds f, which is called at once if the other hooks have been. failed gets its
// error.
func (d *drain) addHook(f func(context.Context) error, failed func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.Add(f, failed, d.hookReturned)
}

// hookReturned records that a hook has returned.
func (d *drain) hookReturned() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks.Returned()
	d.notify()
}

// tick ends HTTP/1 connections that have been idle for limit ticks, or has them move. It
// reports whether a connection may still bring a request that the program hasn't begun to
// handle.
func (d *drain) tick(ticks, limit int) (expects bool) {
	d.resting.Leave(d.mover.Load())
	expects = d.resting.Len() > 0 // the program hasn't got them yet
	hastens := d.grace.IsHalfOver()
	for _, c := range d.openConns() {
		if hastens {
			c.Hasten()
		}
		expects = c.Tick(ticks, limit) || expects // of all: each compares with its last tick
	}
	return expects
}

// closeRest closes the connections that are open at the end of the grace: first those
// that have their answers, then those that wait for one, which may still get it. It returns
// what it has closed.
func (d *drain) closeRest() conn.Kinds {
	rest := d.openConns()
	c := conn.KindsOf(rest)
	for _, t := range rest {
		if t.Quiet() {
			t.Close()
		}
	}
	for _, t := range rest {
		t.Close()
	}
	return c
}

func (d *drain) openConns() []*conn.Tracked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conns.All()
}

func (d *drain) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conns.Len()
}
