package child

import "time"

// releaseDelay is how long after the last worker of a reload has gone the master releases memory. It costs the master as much
// processor time as the reload itself, with the page faults that follow: 3 ms, at which requests wait. While
// reloads follow one another sooner, that is put off, and Go collects as it always does.
const releaseDelay = time.Second

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
