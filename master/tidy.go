package master

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// tidyBelow is how much heap a master has that is rota's alone.
const tidyBelow = 32 << 20

// tidyDelay is how long after a reload the master tidies up. In the first tenths of a
// second the clients of the old workers connect to the new ones, and need the processors:
// collecting garbage just then was a fifth of what a reload costs.
const tidyDelay = 300 * time.Millisecond

// tidySoon has the master tidy up, once for all the reloads of the time until then.
func (l *loop) tidySoon() {
	if l.untidy {
		return
	}
	l.untidy = true
	l.after(tidyDelay, func() {
		l.untidy = false
		l.work(func() func() { l.sys.tidy(); return func() {} })
	})
}

// tidy gives back what a reload has left behind. Go collects garbage when the heap has
// doubled, but not below four megabytes, so a master that does nothing else would keep
// that of a hundred reloads, half as much again as it needs. Where the program has a
// large heap of its own in the master, it makes no difference, and is left to Go.
func tidy() {
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(heap); heap[0].Value.Kind() == metrics.KindUint64 && heap[0].Value.Uint64() < tidyBelow {
		debug.FreeOSMemory()
	}
}
