package child

import "time"

// releaseDelay is how long after the last worker of a reload has gone the master releases memory. Before, that
// would collect garbage again and again in a rota of many. In the first tenths of a second the clients of the old workers connect to the new ones: collecting garbage
// at that time was measured as a fifth of the processor time that a reload takes.
const releaseDelay = 300 * time.Millisecond

// Garbage is the memory that reloads leave behind in the master. Its method and functions run
// on the master's loop, except Release.
type Garbage struct {
	Work    func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	After   func(time.Duration, func()) (stop func())
	Release func() // to the system

	due  bool      // the timer runs
	last time.Time // of ReleaseSoon
}

// ReleaseSoon releases the memory when it hasn't been called for releaseDelay.
func (g *Garbage) ReleaseSoon() {
	g.last = time.Now()
	if !g.due {
		g.due = true
		g.wait(releaseDelay)
	}
}

func (g *Garbage) wait(d time.Duration) {
	g.After(d, func() {
		if rest := releaseDelay - time.Since(g.last); rest > 0 {
			g.wait(rest)
			return
		}
		g.due = false
		g.Work(func() func() { g.Release(); return func() {} })
	})
}
