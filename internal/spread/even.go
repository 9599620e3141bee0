package spread

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// few is a difference that doesn't matter.
	few = 2
	// fair is the part of what the worker with fewest has by which the others may have more: a twentieth.
	fair = 20
	// patience is after how many rounds the difference must not have doubled.
	patience = 20
	// pause is for how long nothing is done where it has.
	pause = time.Minute
)

// Load is what the worker of a slot has.
type Load struct {
	Worker int  // its id; 0: no worker accepts from the slot's queue
	Open   int  // connections
	Waits  bool // somebody waits in the queue
}

// Fewest returns the slots that are to get new connections, so that those that stay open are shared
// evenly; nil: all, as the kernel chooses. A slot is left out if its worker has more than the mean, and none
// if the difference is small. At least half of the slots with a worker are in, so that no share is more than doubled:
// a worker that has just been started isn't given all. One where somebody waits is out if as many are left. The number of a worker
// may be by so many higher, or lower, from one moment to the next, as noise says.
func Fewest(loads []Load, noise int) (slots []int) {
	able, sum := []int{}, 0
	for i, l := range loads {
		if l.Worker != 0 {
			able, sum = append(able, i), sum+l.Open
		}
	}
	slices.SortStableFunc(able, func(a, b int) int { return cmp.Compare(loads[a].Open, loads[b].Open) })
	if len(able) < 2 || !isUneven(loads[able[0]].Open, loads[able[len(able)-1]].Open, noise) {
		return nil
	}
	half := (len(able) + 1) / 2
	for i, slot := range able {
		if i < half || loads[slot].Open*len(able) <= sum {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return withoutWaiting(slots, loads, half)
}

// isUneven reports whether the difference between the fewest and the most is large.
func isUneven(least, most, noise int) bool { return most-least > max(few, least/fair, 2*noise) }

// withoutWaiting returns those of some slots where nobody waits; all, if these are fewer than least.
func withoutWaiting(slots []int, loads []Load, least int) (quiet []int) {
	for _, slot := range slots {
		if !loads[slot].Waits {
			quiet = append(quiet, slot)
		}
	}
	if len(quiet) < least {
		return slots
	}
	return quiet
}

// Even has new connections go to the slots whose workers have fewer. The zero value is ready.
type Even struct {
	schedule
	pace  time.Duration
	open  map[int]int // what the workers had, by their ids
	sum   int         // of open
	noise int         // by how much it falls from one round to the next
	known bool        // slots is what the kernel does
	slots []int       // that get new connections; nil: all

	rounds int     // in which there were slots to choose
	from   float64 // the difference in the first of them
}

// Slots returns the slots that get new connections; nil: all.
func (e *Even) Slots() []int { return e.slots }

// Level takes what the workers have, by slot, and reports whether Slots has changed.
func (e *Even) Level(now time.Time, loads []Load) (changed bool) {
	grows := e.compare(loads)
	slots := Fewest(loads, e.noise)
	e.pace = min(max(2*e.pace, quick), slow)
	if slots != nil || grows {
		e.pace = quick
	}
	e.due = now.Add(e.pace)
	if e.isFutile(slots != nil) {
		slots, e.due = nil, now.Add(pause)
	}
	return e.set(slots)
}

// Release has all slots get new connections, and reports whether that is a change. The next round comes soon.
func (e *Even) Release() (changed bool) {
	e.asked, e.due, e.pace, e.rounds = false, time.Time{}, 0, 0
	return e.set(nil)
}

func (e *Even) set(slots []int) (changed bool) {
	changed = !e.known || !slices.Equal(e.slots, slots)
	e.known, e.slots = true, slots
	return changed
}

// compare compares what the workers have with the last time. It reports whether there are many more connections, or
// workers have changed.
//
// The numbers of connections that stay open rise. If one falls, there are connections of a request or two, by whose
// number it varies.
func (e *Even) compare(loads []Load) (grows bool) {
	before, last := e.open, e.sum
	e.open, e.sum, e.noise = make(map[int]int, len(loads)), 0, e.noise/2
	for _, l := range loads {
		if l.Worker == 0 {
			continue
		}
		was, ok := before[l.Worker]
		grows = grows || !ok
		e.noise = max(e.noise, was-l.Open)
		e.open[l.Worker] = l.Open
		e.sum += l.Open
	}
	if grows = grows || len(before) != len(e.open); grows {
		e.rounds = 0
	}
	return grows || e.sum-last > max(len(loads), last/20, 2*e.noise)
}

// isFutile reports whether there were slots to choose for a while, and the difference has doubled as a part of all: the
// sockets have another order in the kernel than here, because one was closed or has listened anew.
func (e *Even) isFutile(chosen bool) bool {
	e.rounds++
	switch is := e.difference(); {
	case !chosen:
		e.rounds = 0
	case e.rounds == 1:
		e.from = is
	case e.rounds > patience && is > 2*e.from+1./4:
		e.rounds = 0
		return true
	}
	return false
}

// difference returns by how much the worker with most has more than the one with fewest, as a part of the mean.
func (e *Even) difference() float64 {
	all := slices.Collect(maps.Values(e.open))
	if e.sum == 0 {
		return 0
	}
	return float64((slices.Max(all)-slices.Min(all))*len(all)) / float64(e.sum)
}
