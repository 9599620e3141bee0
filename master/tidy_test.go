package master

import (
	"errors"
	"runtime"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"
)

// Reloads tidy up behind themselves, also those that fail, when the rush is over: once
// for all that came meanwhile.
func TestReloadTidies(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		tidied := func(want int32) {
			t.Helper()
			synctest.Wait()
			if n := b.os.tidied.Load(); n != want {
				t.Errorf("tidied %d times, want %d", n, want)
			}
		}
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		tidied(1)
		b.os.prepare = func(int) error { return errors.New("no executable") }
		for range 3 {
			if err := b.Reload(t.Context()); err == nil {
				t.Fatal("a reload without an executable does not fail")
			}
		}
		time.Sleep(tidyDelay / 2)
		tidied(1)
		time.Sleep(tidyDelay)
		tidied(2)
		time.Sleep(time.Minute)
		tidied(2)
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
