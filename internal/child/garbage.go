package child

import "time"

// releaseDelay is how long after a reload the master releases memory. In the first tenths
// of a second the clients of the old workers connect to the new ones: collecting garbage
// at that time was measured as a fifth of the processor time that a reload takes.
const releaseDelay = 300 * time.Millisecond

// Garbage is the memory that reloads leave behind in the master. Its method and functions run
// on the master's loop, except Release.
type Garbage struct {
	Work    func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	After   func(time.Duration, func()) (stop func())
	Release func() // to the system

	due bool // the timer runs
}

// ReleaseSoon releases the memory, once for all calls within releaseDelay.
func (g *Garbage) ReleaseSoon() {
	if g.due {
		return
	}
	g.due = true
	g.After(releaseDelay, func() {
		g.due = false
		g.Work(func() func() { g.Release(); return func() {} })
	})
}
