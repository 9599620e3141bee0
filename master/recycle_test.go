package master

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
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

// reasons returns why workers were replaced, and how often.
func reasons(s status.Status) map[string]int64 {
	all := map[string]int64{}
	for _, t := range s.Tallies {
		if t.Kind == status.Restart {
			all[t.Why] += t.Times
		}
	}
	return all
}

// A worker that says that it has served as many requests as it may is replaced, its successor ready first. The
// number that it gets is spread.
func TestMaxRequests(t *testing.T) {
	inBubble(t, Config{Workers: 2, MaxRequests: 1000}, func(t *testing.T, b *bench) {
		limits := map[int64]bool{}
		b.os.script = func(p *fakeProc) {
			p.hello()
			var body wire.WelcomeBody
			if f := <-p.got; f.Type == wire.Welcome && f.Decode(&body) == nil {
				b.os.mu.Lock()
				limits[body.MaxRequests] = true
				b.os.mu.Unlock()
			}
			p.accept("tcp", ":80")
			p.obey()
		}
		b.run()
		elapse(time.Second)
		b.proc(1).say(wire.Worn, nil)
		elapse(time.Second)
		b.wantLiving(t, 2, 3)
		b.proc(2).say(wire.Worn, nil)
		elapse(time.Second)
		b.wantLiving(t, 3, 4)
		if got := reasons(b.Status()); got["requests"] != 2 || len(got) != 1 {
			t.Errorf("reasons %v", got)
		}
		for n := range limits {
			if n < 900 || n > 1000 {
				t.Errorf("a limit of %d", n)
			}
		}
		if len(limits) != 4 {
			t.Errorf("limits %v, want 4", limits)
		}
	})
}

// Without a limit it doesn't matter what a worker says.
func TestNoMaxRequests(t *testing.T) {
	inBubble(t, Config{Workers: 1}, func(t *testing.T, b *bench) {
		b.run()
		b.proc(1).say(wire.Worn, nil)
		elapse(time.Minute)
		b.wantLiving(t, 1)
	})
}

// A worker that is replaced because of its age is counted as such, and one with another reason isn't.
func TestReasonOfAge(t *testing.T) {
	inBubble(t, Config{Workers: 1, MaxAge: time.Hour, MaxRequests: 10}, func(t *testing.T, b *bench) {
		b.run()
		b.proc(1).say(wire.Worn, nil)
		elapse(time.Minute)
		elapse(time.Hour)
		b.wantLiving(t, 3)
		if got := reasons(b.Status()); got["age"] != 1 || got["requests"] != 1 || len(got) != 2 {
			t.Errorf("reasons %v", got)
		}
	})
}
