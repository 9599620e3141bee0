// Package spread is about the queues of one address, one for all workers or one for each slot: which
// of them is stuck because its worker doesn't accept, who helps, and which of them get new
// connections. The sockets are the master's.
package spread

import "time"

// Tick is how often queues are looked at while connections come. A queue is stuck when
// somebody has waited there at two looks in a row, so that nobody waits for longer than
// about 2 × Tick for a worker that has been stopped.
const Tick = 20 * time.Millisecond

const (
	stuckAfter    = 2 // looks
	overloadAfter = 5 // looks, where somebody waits in most queues: their workers are slow, not stuck
)

// Queue is one queue as it is found at a look.
type Queue struct {
	Waits  bool // a connection waits in it
	Served bool // a worker accepts from it
}

// Watch finds the queues that are stuck. The zero value is ready.
type Watch struct {
	waits  []int // at how many looks in a row somebody has waited, by slot
	served []bool
	next   int // the slot that is asked next
}

// Look takes what was found, by slot, and returns the slots whose connections others must
// accept. Where no worker accepts, that is so at once.
func (w *Watch) Look(queues []Queue) (stuck []int) {
	w.fit(len(queues))
	waiting := 0
	for i, q := range queues {
		w.served[i] = q.Served
		if !q.Waits {
			w.waits[i] = 0
			continue
		}
		w.waits[i]++
		waiting++
	}
	after := stuckAfter
	if 2*waiting > len(queues) {
		after = overloadAfter
	}
	for i, q := range queues {
		if q.Waits && (!q.Served || w.waits[i] >= after) {
			stuck = append(stuck, i)
		}
	}
	return stuck
}

func (w *Watch) fit(n int) {
	for len(w.waits) < n {
		w.waits, w.served = append(w.waits, 0), append(w.served, false)
	}
	w.waits, w.served = w.waits[:n], w.served[:n]
}

// Helper returns the slot whose worker is to accept the connections of another: the next, in
// turn, whose own queue is empty; where there is none, the next that serves. can reports
// whether the worker of a slot can be asked. ok is false if none can.
func (w *Watch) Helper(slot int, can func(slot int) bool) (helper int, ok bool) {
	for _, idle := range []bool{true, false} {
		for range w.waits {
			helper = w.next % len(w.waits)
			w.next = helper + 1
			if helper != slot && w.served[helper] && (!idle || w.waits[helper] == 0) && can(helper) {
				return helper, true
			}
		}
	}
	return 0, false
}
