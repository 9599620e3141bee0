package master

import (
	"errors"
	"runtime"
	"runtime/metrics"
	"testing"
)

// Every reload tidies up behind itself, also one that fails.
func TestReloadTidies(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		if n := b.os.tidied.Load(); n != 1 {
			t.Errorf("tidied %d times after one reload", n)
		}
		b.os.prepare = func(int) error { return errors.New("no executable") }
		if err := b.reload(t); err == nil {
			t.Fatal("the second reload does not fail")
		}
		if n := b.os.tidied.Load(); n != 2 {
			t.Errorf("tidied %d times after two", n)
		}
	})
}

// A small heap is collected, a large one is left to Go.
func TestTidy(t *testing.T) {
	runtime.GC() // tidy goes by what the last one has left
	before := collections(t)
	tidy()
	if collections(t) == before {
		t.Error("a small heap was not collected")
	}
	large := make([]byte, 2*tidyBelow)
	runtime.GC()
	before = collections(t)
	tidy()
	if n := collections(t); n != before {
		t.Errorf("a heap of %d MB was collected", len(large)>>20)
	}
	runtime.KeepAlive(large)
}

// collections is how often the program, or tidy, has asked for one.
func collections(t *testing.T) uint64 {
	t.Helper()
	s := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
	if metrics.Read(s); s[0].Value.Kind() != metrics.KindUint64 {
		t.Skip("this Go doesn't count collections")
	}
	return s[0].Value.Uint64()
}
