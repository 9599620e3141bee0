package child

import "time"

const (
	// memoryPoll is how often memory is checked.
	memoryPoll = time.Second
	// memoryCooldown is how long a slot is not checked after its worker has exceeded its
	// limit: a limit that is too low then costs one start a minute per slot.
	memoryCooldown = time.Minute
)

// Memory is a worker whose memory is to be checked.
type Memory struct {
	ID, Slot, PID int
	Limit         int64 // bytes, as configured
}

// MemoryWatch checks once a second how much memory workers use. Its methods and functions
// run on the master's loop, except Resident.
type MemoryWatch struct {
	Work     func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	After    func(time.Duration, func()) func()
	Resident func(pid int) int64        // bytes in use; 0 if not known
	Limited  func() []Memory            // the workers to check now
	Exceeded func(m Memory, used int64) // m uses more than its limit

	cooldown map[int]time.Time // by slot: until when it is not checked
	stopped  bool
}

// Start starts the checks.
func (w *MemoryWatch) Start() {
	w.cooldown = map[int]time.Time{}
	w.schedule()
}

// Stop stops the checks. On nil it does nothing.
func (w *MemoryWatch) Stop() {
	if w != nil {
		w.stopped = true
	}
}

func (w *MemoryWatch) schedule() {
	w.After(memoryPoll, func() {
		if !w.stopped {
			w.check()
			w.schedule()
		}
	})
}

// check reads on another goroutine what the workers use.
func (w *MemoryWatch) check() {
	var due []Memory
	for _, m := range w.Limited() {
		if m.PID > 0 && !time.Now().Before(w.cooldown[m.Slot]) {
			due = append(due, m)
		}
	}
	if len(due) == 0 {
		return
	}
	w.Work(func() func() {
		used := make([]int64, len(due))
		for i, m := range due {
			used[i] = w.Resident(m.PID)
		}
		return func() { w.judge(due, used) }
	})
}

func (w *MemoryWatch) judge(due []Memory, used []int64) {
	for i, m := range due {
		if !w.stopped && used[i] > Spread(m.Limit, m.ID) {
			w.cooldown[m.Slot] = time.Now().Add(memoryCooldown)
			w.Exceeded(m, used[i])
		}
	}
}

// Spread returns the limit of the worker with this id. It is up to a tenth below limit, by the id, so that
// workers that were started together are not replaced together.
func Spread(limit int64, id int) int64 {
	return limit - limit/10*int64(id*7919%100)/100
}
