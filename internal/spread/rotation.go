package spread

import (
	"maps"
	"slices"
	"time"
)

const (
	// many is how many connections a second for each processor are worth a rotation: each costs less than 2 ms then.
	many = 500
	// keeps is for how long they are many at most, once they were: they may come in bursts.
	keeps = 5 * time.Second
)

// Turn returns the n of some workers, by their ids in order, whose turn it is after that of worker last, in a circle; nil if there are
// no more than n.
func Turn(workers []int, last, n int) []int {
	if len(workers) <= n {
		return nil
	}
	return following(workers, last, n)
}

// Rotation has the connections of one queue come to few workers at a time, in turn, while many come: the others stand by. The
// zero value is ready.
type Rotation struct {
	schedule
	counted  time.Time
	accepted map[int]int // by worker, when they were counted
	until    time.Time   // there are many connections until then

	last    int          // of those whose turn it was
	standby map[int]bool // workers that stand by
}

// Goes reports whether some workers stand by.
func (r *Rotation) Goes() bool { return len(r.standby) > 0 }

// Count takes how many connections each worker has accepted by now; see many. nil: that isn't known.
func (r *Rotation) Count(now time.Time, accepted map[int]int, processors int) {
	sum := 0
	for id, n := range accepted {
		if before, ok := r.accepted[id]; ok {
			sum += n - before
		}
	}
	r.due = now.Add(slow)
	// The time in which so many would be just many. What workers say may be more than a Duration can hold.
	evenly := time.Duration(min(sum, 1<<30)) * time.Second / time.Duration(many*processors)
	if len(r.accepted) == 0 {
		r.due = now.Add(quick)
	} else if evenly >= now.Sub(r.counted) {
		r.until = now.Add(min(evenly, keeps))
	}
	r.counted, r.accepted = now, accepted
}

// Next has the turn come to the next n of some workers, by their ids in order. It returns those that stood by and no longer do,
// and those that begin to.
func (r *Rotation) Next(now time.Time, workers []int, n int) (on, off []int) {
	standby := map[int]bool{}
	if turn := Turn(workers, r.last, n); turn != nil && now.Before(r.until) {
		r.last = turn[n-1]
		for _, id := range workers {
			if !slices.Contains(turn, id) {
				standby[id] = true
			}
		}
	}
	for _, id := range workers {
		switch {
		case r.standby[id] && !standby[id]:
			on = append(on, id)
		case standby[id] && !r.standby[id]:
			off = append(off, id)
		}
	}
	r.standby = standby
	return on, off
}

// Stop has no worker stand by, and returns those that did.
func (r *Rotation) Stop() (on []int) {
	on = slices.Sorted(maps.Keys(r.standby))
	r.standby = nil
	return on
}

// StandByFor returns how long one of so many workers stands by at most, n of which have their turn at a time. It is longer than
// two rounds, and ends without an order when there was none by then: the master stands still, or is gone.
func StandByFor(workers, n int) time.Duration {
	return time.Second + 2*Tick*time.Duration(workers)/time.Duration(n)
}
