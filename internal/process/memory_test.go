package process

import (
	"os"
	"runtime"
	"runtime/metrics"
	"testing"
)

// ReleaseMemory collects a small heap, and leaves a large one to Go.
func TestReleaseMemory(t *testing.T) {
	runtime.GC() // ReleaseMemory goes by the heap after the last collection
	before := collections(t)
	ReleaseMemory()
	if collections(t) == before {
		t.Error("a small heap was not collected")
	}
	large := make([]byte, 2*smallHeap)
	runtime.GC()
	before = collections(t)
	ReleaseMemory()
	if n := collections(t); n != before {
		t.Errorf("a heap of %d MB was collected", len(large)>>20)
	}
	runtime.KeepAlive(large)
}

// collections returns how many collections the program and ReleaseMemory have forced.
func collections(t *testing.T) uint64 {
	t.Helper()
	s := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
	if metrics.Read(s); s[0].Value.Kind() != metrics.KindUint64 {
		t.Skip("this Go doesn't count forced collections")
	}
	return s[0].Value.Uint64()
}

func TestResidentBytes(t *testing.T) {
	if n := ResidentBytes(os.Getpid()); runtime.GOOS == "linux" && n < 1<<20 {
		t.Errorf("this process has %d bytes, want at least 1 MB", n)
	}
	if n := ResidentBytes(1 << 30); n != 0 {
		t.Errorf("a process that doesn't exist has %d bytes, want 0", n)
	}
}
