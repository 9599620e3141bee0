package spread

import "slices"

// Line finds out, of the one queue at which all workers of a socket wait in turn, that the one
// that the kernel has woken for a connection doesn't accept it: it was stopped in that moment, or
// has ended, or is out of descriptors. The zero value is ready.
type Line struct {
	waits int // at how many looks in a row somebody has waited
	last  int // the worker that was woken last
}

// Look takes whether somebody waits in the queue, and reports whether another worker is to be
// woken: where somebody has waited at two looks in a row.
func (l *Line) Look(waits bool) bool {
	if !waits {
		l.waits = 0
		return false
	}
	l.waits++
	return l.waits >= stuckAfter
}

// Next returns which of some workers is to be woken, by its id: each in turn. ok is false if
// there is none.
func (l *Line) Next(workers []int) (id int, ok bool) {
	if len(workers) == 0 {
		return 0, false
	}
	slices.Sort(workers)
	l.last = following(workers, l.last, 1)[0]
	return l.last, true
}

// following returns n of some workers, by their ids in order: those that follow worker last, in a circle.
func following(workers []int, last, n int) (next []int) {
	after, _ := slices.BinarySearch(workers, last+1)
	for i := range n {
		next = append(next, workers[(after+i)%len(workers)])
	}
	return next
}
