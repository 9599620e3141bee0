package balance

import (
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

const (
	// answerTime is how long workers may take to say what they have.
	answerTime = 100 * time.Millisecond
	// perWorker is how much time passes for each worker, at least, until all are asked again.
	perWorker = 10 * time.Millisecond
	// maxSkips is how many times in a row a worker is left alone that has given nothing, at most.
	maxSkips = 64
)

// Balancer asks workers from time to time what they have, and has connections moved as Plan
// says. Its methods and functions run on the master's loop.
type Balancer struct {
	After   func(time.Duration, func()) (stop func())
	Serving func() bool     // connections don't move anyway
	Workers func() []Worker // that may give connections to each other
	Every   time.Duration   // how often they are asked; 0: once a second; reload.NoLimit: never

	Processors int // how many workers can use a processor at a time; 0: any number
	Canaries   int // of the workers of a reload: with any, connections are shared evenly

	stop  func()       // stops the timer; nil: none runs
	loads map[int]Load // the answers, by worker; nil: nobody was asked
	gave  map[int]gift // by worker

	gathering Gathering
}

// Worker is a worker that may give connections to others, and get theirs.
type Worker struct {
	ID      int
	Process Process
}

// Process is what a Balancer needs of a *child.Process.
type Process interface {
	Send(t wire.Type, call uint32, body any)
	Spare(connections int, send func(receiver *descriptor.FD)) error
	TakeOver(pair *descriptor.FD)
}

// gift is what a worker was last asked to give.
type gift struct {
	moved int64 // Load.Moved before it
	skips int   // how many times the worker is left alone if it gives nothing
	left  int   // of them
}

// Start begins, unless it has begun. It ends by itself when there are fewer than two workers.
func (b *Balancer) Start() {
	if b.Every == 0 {
		b.Every = time.Second
	}
	if b.stop == nil && b.Every != reload.NoLimit {
		b.stop = b.After(b.Every, b.ask)
	}
}

// Stop ends it.
func (b *Balancer) Stop() {
	if b.stop != nil {
		b.stop()
		b.stop, b.loads = nil, nil
	}
}

// Set changes Every and Canaries, at once, and begins, as Start does.
func (b *Balancer) Set(every time.Duration, canaries int) {
	b.Stop()
	b.Every, b.Canaries = every, canaries
	b.Start()
}

// ask asks the workers what they have.
func (b *Balancer) ask() {
	b.stop = nil
	workers := b.Workers()
	if len(workers) < 2 {
		return
	}
	if b.Serving() {
		b.loads = map[int]Load{}
		count(workers)
	}
	b.stop = b.After(answerTime, b.balance)
}

func count(workers []Worker) {
	for _, w := range workers {
		w.Process.Send(wire.Count, 0, nil)
	}
}

// Count asks the workers what they have besides, and reports whether connections are to be spread
// evenly now.
func (b *Balancer) Count() bool {
	if !b.Serving() {
		return false
	}
	count(b.Workers())
	return true
}

// Answered takes what a worker has counted, if it was asked.
func (b *Balancer) Answered(id int, n status.Counters, cost wire.Work) {
	if b.loads != nil {
		b.loads[id] = Load{ID: id, Open: int(n.Open), Moved: n.Moved, New: n.Accepted, Gives: true, Work: cost}
	}
}

// balance has connections moved between the workers that have answered, and sets when they are
// asked again: sooner while there is something to move.
func (b *Balancer) balance() {
	workers := map[int]Process{}
	for _, w := range b.Workers() {
		workers[w.ID] = w.Process
	}
	every := max(b.Every, time.Duration(len(workers))*perWorker)
	if b.Serving() && b.move(workers) {
		every /= 2
	}
	b.loads = nil
	b.stop = b.After(every, b.ask)
}

// move has connections moved, and reports whether there were some to move.
func (b *Balancer) move(workers map[int]Process) bool {
	asked := map[int]bool{}
	for _, m := range b.plan(b.willing(workers)) {
		if workers[m.From].Spare(m.N, workers[m.To].TakeOver) == nil { // an error: out of descriptors
			asked[m.From] = true
		}
	}
	for id := range asked {
		b.record(id)
	}
	return len(asked) > 0
}

// plan returns who gives how many to whom now.
func (b *Balancer) plan(loads []Load) []Move {
	if fit := b.fit(); fit > 0 && b.gathering.Count(time.Now(), loads, fit) {
		return Gather(loads, fit)
	}
	return Plan(loads)
}

// fit returns how many workers are to have connections that are gathered. Where some workers are canaries it is any number: they
// are judged by the requests of an even share.
func (b *Balancer) fit() int {
	if b.Canaries > 0 {
		return 0
	}
	return b.Processors
}

// willing returns what the workers have. One that has given nothing when it was asked, because
// what it has can't move, is left alone for a while.
func (b *Balancer) willing(workers map[int]Process) (all []Load) {
	gave := map[int]gift{} // without workers that have gone
	for id, l := range b.loads {
		if workers[id] == nil {
			continue
		}
		if g, ok := b.gave[id]; ok && g.moved == l.Moved {
			l.Gives = g.left == 0
			g.left = max(g.left-1, 0)
			gave[id] = g
		}
		all = append(all, l)
	}
	b.gave = gave
	return all
}

// record says that a worker was asked to give.
func (b *Balancer) record(id int) {
	g := b.gave[id]
	g.skips = min(2*g.skips+1, maxSkips)
	g.moved, g.left = b.loads[id].Moved, g.skips
	b.gave[id] = g
}
