package master

import "time"

// releaseDelay is how long after a reload the master releases memory. In the first tenths
// of a second the clients of the old workers connect to the new ones: collecting garbage
// at that time was measured as a fifth of the processor time that a reload takes.
const releaseDelay = 300 * time.Millisecond

// releaseMemorySoon releases the memory that a reload has left behind, once for all
// reloads within releaseDelay.
func (l *loop) releaseMemorySoon() {
	if l.releaseDue {
		return
	}
	l.releaseDue = true
	l.after(releaseDelay, func() {
		l.releaseDue = false
		l.work(func() func() { l.sys.releaseMemory(); return func() {} })
	})
}
