// Package balance decides which workers give connections to which, so that all have about as
// many: see docs/decisions/0046. Plan is the rule, and a Balancer when it is applied.
package balance

import (
	"cmp"
	"slices"

	"github.com/rota-go/rota/internal/wire"
)

const (
	// fair is by how much the worker with most may have more than the one with fewest, as a
	// part of what that has: a fifth.
	fair = 5
	// few is a difference that doesn't matter.
	few = 4
	// share is which part of its connections a worker gives at a time, at most: a quarter.
	share = 4
	// most is how many connections a worker gives at a time, at most.
	most = 2000
)

// Load is what a worker has.
type Load struct {
	ID    int
	Open  int   // connections
	Moved int64 // how many it has given in its life
	New   int64 // how many it has accepted in its life
	Gives bool  // it may be asked to give some
	Work  wire.Work
}

// Move says that a worker gives N connections to another.
type Move struct{ From, To, N int }

// Plan returns who gives how many to whom: nothing where the difference is small. No worker gives
// more than it has above the mean, or gets more than it lacks.
func Plan(loads []Load) (moves []Move) {
	sorted := mostFirst(loads)
	if isFair(sorted) {
		return nil
	}
	takers := newTakers(sorted, sum(sorted)/len(sorted))
	for _, l := range sorted {
		moves = takers.take(moves, l, min(l.Open-takers.mean, max(l.Open/share, 1), most))
	}
	return moves
}

// mostFirst returns the loads in order, those with most connections first.
func mostFirst(loads []Load) []Load {
	return slices.SortedFunc(slices.Values(loads), func(a, b Load) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.ID, b.ID))
	})
}

// isFair reports whether the difference between the first and the last is small.
func isFair(sorted []Load) bool {
	if len(sorted) < 2 {
		return true
	}
	least := sorted[len(sorted)-1].Open
	return sorted[0].Open-least <= max(few, least/fair)
}

// takers are the workers that lack connections, those that lack most last.
type takers struct {
	mean  int
	loads []Load
}

// newTakers returns those of sorted that have fewer than mean.
func newTakers(sorted []Load, mean int) *takers {
	first, _ := slices.BinarySearchFunc(sorted, mean, func(l Load, mean int) int { return cmp.Compare(mean, l.Open) })
	return &takers{mean, slices.Clone(sorted[first:])}
}

// sum returns how many connections there are.
func sum(loads []Load) (n int) {
	for _, l := range loads {
		n += l.Open
	}
	return n
}

// take appends what l gives, spare at most.
func (t *takers) take(moves []Move, l Load, spare int) []Move {
	for l.Gives && spare > 0 && len(t.loads) > 0 {
		to := &t.loads[len(t.loads)-1]
		n := min(spare, t.mean-to.Open)
		if n > 0 {
			moves = append(moves, Move{l.ID, to.ID, n})
			spare, to.Open = spare-n, to.Open+n
		}
		if to.Open >= t.mean {
			t.loads = t.loads[:len(t.loads)-1]
		}
	}
	return moves
}
