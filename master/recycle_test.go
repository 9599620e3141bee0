package master

import (
	"sync/atomic"
	"testing"
	"time"
)

func TestMaxMemory(t *testing.T) {
	inBubble(t, Config{Workers: 2, MaxMemory: 1000}, func(t *testing.T, b *bench) {
		var used atomic.Int64
		b.os.memory = func(pid int) int64 {
			if pid == 101 {
				return used.Load()
			}
			return 500
		}
		b.run()
		used.Store(900) // the lowest limit of the spread
		elapse(10 * time.Second)
		b.wantLiving(t, 1, 2)
		used.Store(1001)
		elapse(time.Second)
		b.wantLiving(t, 2, 3)
	})
}

// A limit that is too low costs one start a minute per slot.
func TestMaxMemoryTooLow(t *testing.T) {
	inBubble(t, Config{Workers: 1, MaxMemory: 1000}, func(t *testing.T, b *bench) {
		b.os.memory = func(int) int64 { return 2000 }
		b.run()
		elapse(time.Second)
		b.wantLiving(t, 2)
		elapse(59 * time.Second)
		b.wantLiving(t, 2)
		elapse(2 * time.Second)
		b.wantLiving(t, 3)
	})
}
