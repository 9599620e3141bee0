package process

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// ResidentBytes returns the resident set size of a process in bytes, or 0 if it isn't
// known.
func ResidentBytes(pid int) int64 { return residentBytes(pid) }

// smallHeap is the size in bytes below which a heap is taken to be rota's alone. Large messages of
// workers are part of it.
const smallHeap = 96 << 20

// ReleaseMemory collects garbage and returns free memory to the system, if this process
// has a small heap. Go collects when the heap has doubled, but not below 4 MB, so a
// master that does nothing else would keep the garbage of a hundred reloads, half as much
// again as it needs. In a process with a large heap that makes no difference, and
// ReleaseMemory does nothing.
func ReleaseMemory() {
	if hasSmallHeap() {
		debug.FreeOSMemory()
	}
}

// Collect collects garbage, if this process has a small heap.
func Collect() {
	if hasSmallHeap() {
		runtime.GC()
	}
}

func hasSmallHeap() bool {
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(heap)
	v := heap[0].Value
	return v.Kind() == metrics.KindUint64 && v.Uint64() < smallHeap
}
