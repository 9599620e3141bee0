package master

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Memory is released after reloads, failed ones included: once for all reloads within
// a second.
func TestReloadReleasesMemory(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		released := func(want int32) {
			t.Helper()
			synctest.Wait()
			if n := b.os.released.Load(); n != want {
				t.Errorf("memory was released %d times, want %d", n, want)
			}
		}
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		released(1)
		b.os.prepare = func(int) error { return errors.New("no executable") }
		for range 3 {
			if err := b.Reload(t.Context()); err == nil {
				t.Fatal("a reload without an executable does not fail")
			}
		}
		time.Sleep(900 * time.Millisecond)
		released(1)
		time.Sleep(200 * time.Millisecond)
		released(2)
		time.Sleep(time.Minute)
		released(2)
	})
}
