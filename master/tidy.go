package master

import (
	"runtime/debug"
	"runtime/metrics"
)

// tidyBelow is how much heap a master has that is rota's alone.
const tidyBelow = 32 << 20

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
