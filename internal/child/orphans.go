package child

import "time"

// reapEvery is how often a master that is PID 1 looks for dead orphans. Until then they
// remain zombies, which only take up a pid.
const reapEvery = time.Second

// Orphans reaps what workers have left behind, in a master that is PID 1, as in a
// container: it is then their parent. See process.Reap for how it leaves the program's own
// children alone. Its methods and functions run on the master's loop, except Reap.
type Orphans struct {
	Work    func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	After   func(time.Duration, func()) func()
	Workers func() map[int]bool                     // the pids that the loop waits for itself
	Reap    func(workers map[int]bool) (pids []int) // reaps the others
	Reaped  func(pids []int)                        // some were

	stopped bool
}

// Start reaps every second from now on, until Stop.
func (o *Orphans) Start() {
	o.After(reapEvery, func() {
		if !o.stopped {
			o.reap()
		}
	})
}

// Stop ends the reaping. On nil it does nothing.
func (o *Orphans) Stop() {
	if o != nil {
		o.stopped = true
	}
}

// reap reaps once, and schedules the next time.
func (o *Orphans) reap() {
	workers := o.Workers()
	o.Work(func() func() {
		pids := o.Reap(workers)
		return func() {
			if len(pids) > 0 {
				o.Reaped(pids)
			}
			o.Start()
		}
	})
}
