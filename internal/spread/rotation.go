package spread

import (
	"os"
	"runtime"
	"slices"
	"time"
)

const (
	// many is how many connections a second for each processor are worth a rotation: each costs less than 2 ms then.
	many = 500
	// keeps is how long they were many at least, once they were: they may come in bursts.
	keeps = 5 * time.Second
)

// Processors returns how many processors the workers of this process can use at a time. GOMAXPROCS of the environment
// is for them: then it is what the system gives this process.
func Processors() int {
	if os.Getenv("GOMAXPROCS") != "" {
		return runtime.NumCPU()
	}
	return runtime.GOMAXPROCS(0)
}

// Turn returns the n slots whose turn it is after slot last, in a circle: those of some slots (nil: of all) whose
// workers accept. One where somebody waits is passed over, unless there are too few others. It returns nil if no more than n
// have a worker.
func Turn(queues []Queue, among []int, last, n int) (slots []int) {
	if among == nil {
		among = First(len(queues))
	}
	after, _ := slices.BinarySearch(among, last+1)
	able, waiting := 0, []int{}
	for i := range among {
		slot := among[(after+i)%len(among)]
		switch {
		case !queues[slot].Served:
			continue
		case queues[slot].Waits:
			waiting = append(waiting, slot)
		case len(slots) < n:
			slots = append(slots, slot)
		}
		able++
	}
	if able <= n {
		return nil
	}
	return append(slots, waiting[:n-len(slots)]...)
}

// Rotation has new connections come to few slots at a time, in turn, while many come. The zero value is ready.
type Rotation struct {
	counted  time.Time
	accepted map[int]int // by worker, when they were counted
	until    time.Time   // there are many connections until then

	last  int   // of the slots whose turn it was
	slots []int // whose turn it is; nil: that of all
}

// Slots returns the slots whose turn it is; nil: that of all.
func (r *Rotation) Slots() []int { return r.slots }

// Count takes what the workers have accepted by now; see many.
func (r *Rotation) Count(now time.Time, loads []Load, processors int) {
	sum, all := 0, make(map[int]int, len(loads))
	for _, l := range loads {
		if before, ok := r.accepted[l.Worker]; ok {
			sum += l.Accepted - before
		}
		if l.Worker != 0 {
			all[l.Worker] = l.Accepted
		}
	}
	if float64(sum) >= many*float64(processors)*now.Sub(r.counted).Seconds() && len(r.accepted) > 0 {
		r.until = now.Add(keeps)
	}
	r.counted, r.accepted = now, all
}

// Next takes what was found, by slot, and has the turn come to the next n of some slots (nil: of all). It reports whether
// Slots has changed.
func (r *Rotation) Next(now time.Time, queues []Queue, among []int, n int) (changed bool) {
	before := r.slots
	r.slots = nil
	if now.Before(r.until) {
		r.slots = Turn(queues, among, r.last, n)
	}
	if len(r.slots) > 0 {
		r.last = r.slots[len(r.slots)-1]
	}
	return !slices.Equal(before, r.slots)
}

// Stop has all slots get new connections until the next turn, and reports whether that is a change.
func (r *Rotation) Stop() (changed bool) {
	changed, r.slots = r.slots != nil, nil
	return changed
}
