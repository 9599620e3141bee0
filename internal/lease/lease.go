// Package lease decides which worker is the leader: which holds a lease, and which of those
// that wait gets it next. [Leases] is a plain value that decides, [Desk] carries it out for a master.
package lease

import (
	"cmp"
	"slices"
)

// Limits of what one worker may ask for.
const (
	MaxClaims = 64  // that wait or hold
	MaxName   = 256 // bytes
)

// Claim is a call of a worker that asks for a lease.
type Claim struct {
	Worker     int
	Generation int    // of the worker
	Call       uint32 // not 0
	Name       string // of the lease
}

func (c Claim) is(worker int, call uint32) bool { return c.Worker == worker && c.Call == call }

// Leases are the leases of a master, by name. Each has one holder at most: from the time when
// Next returns its claim until the holder has said that it is over, or its process has ended.
// The zero value is a master's that has no predecessor.
//
//	event                         what follows
//	Ask                           the claim waits
//	Over of a claim that waits    it is gone
//	Over of one that holds        the lease is free
//	Leaves: the worker drains     its claims that wait are gone, and it gets no lease any more
//	Gone: its process has ended   all its claims are gone, and its leases are free
//	Block, Unblock                nothing is granted while more Blocks than Unblocks have come
//	Retire                        nothing is granted any more
//	Next                          the claim that is granted now: of the newest generation with
//	                              a claim for a lease that is free, the earliest
type Leases struct {
	waiting []Claim // in the order in which they came
	held    map[string]Claim
	leaving map[int]bool // workers that drain
	blocks  int
	retired bool
}

// Ask adds a claim. It reports false, and adds nothing, if the worker has too many already, or
// this one, or if its name is too long. That of a worker that drains is not added either.
func (l *Leases) Ask(c Claim) bool {
	n := 0
	for _, has := range l.of(c.Worker) {
		if n++; has.Call == c.Call {
			return false
		}
	}
	if n >= MaxClaims || len(c.Name) > MaxName || l.leaving[c.Worker] {
		return false
	}
	l.waiting = append(l.waiting, c)
	return true
}

// of returns the claims of a worker.
func (l *Leases) of(worker int) (all []Claim) {
	for _, c := range l.held {
		if c.Worker == worker {
			all = append(all, c)
		}
	}
	for _, c := range l.waiting {
		if c.Worker == worker {
			all = append(all, c)
		}
	}
	return all
}

// Over says that a claim is over: given up, or the work under the lease has ended.
func (l *Leases) Over(worker int, call uint32) {
	l.drop(func(c Claim) bool { return c.is(worker, call) })
	l.release(func(c Claim) bool { return c.is(worker, call) })
}

// Leaves says that a worker drains. What it holds, it holds until it is over.
func (l *Leases) Leaves(worker int) {
	if l.leaving == nil {
		l.leaving = map[int]bool{}
	}
	l.leaving[worker] = true
	l.drop(func(c Claim) bool { return c.Worker == worker })
}

// Gone says that the process of a worker has ended.
func (l *Leases) Gone(worker int) {
	l.drop(func(c Claim) bool { return c.Worker == worker })
	l.release(func(c Claim) bool { return c.Worker == worker })
	delete(l.leaving, worker)
}

func (l *Leases) drop(is func(Claim) bool) { l.waiting = slices.DeleteFunc(l.waiting, is) }

func (l *Leases) release(is func(Claim) bool) {
	for name, c := range l.held {
		if is(c) {
			delete(l.held, name)
		}
	}
}

// Block says that somebody else may hold the leases: workers of a predecessor.
func (l *Leases) Block() { l.blocks++ }

// Unblock takes one Block back.
func (l *Leases) Unblock() { l.blocks-- }

// Retire says that a successor grants the leases from now on. Those that are held stay held.
func (l *Leases) Retire() { l.retired = true }

// Next grants a lease that is free, and returns the claim that has got it.
func (l *Leases) Next() (Claim, bool) {
	if l.blocks > 0 || l.retired {
		return Claim{}, false
	}
	free := slices.DeleteFunc(slices.Clone(l.waiting), func(c Claim) bool { _, held := l.held[c.Name]; return held })
	if len(free) == 0 {
		return Claim{}, false
	}
	c := slices.MaxFunc(free, func(a, b Claim) int { return cmp.Compare(a.Generation, b.Generation) }) // the first of equals
	l.drop(func(w Claim) bool { return w.is(c.Worker, c.Call) })
	if l.held == nil {
		l.held = map[string]Claim{}
	}
	l.held[c.Name] = c
	return c, true
}
