package balance

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// pool is workers, and what a Balancer does with them.
type pool struct {
	*Balancer
	mu      sync.Mutex // held but while time passes
	workers []*fake
	rests   bool // a change is under way
	busy    bool // workers with connections have many small requests
	asks    int
	spares  []int // by worker: how often it was asked to give
}

// fake is a worker.
type fake struct {
	pool     *pool
	id, open int
	moved    int64
	gives    bool // what it has can move
	silent   bool // it doesn't answer
	failed   error
	work     wire.Work
	gets     *fake
}

func newPool(open ...int) *pool {
	p := &pool{spares: make([]int, len(open))}
	p.mu.Lock()
	for i, n := range open {
		p.workers = append(p.workers, &fake{pool: p, id: i, open: n, gives: true})
	}
	p.Balancer = &Balancer{
		After: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, func() { p.mu.Lock(); defer p.mu.Unlock(); f() })
			return func() { t.Stop() }
		},
		Serving: func() bool { return !p.rests },
		Workers: func() (all []Worker) {
			for _, w := range p.workers {
				all = append(all, Worker{w.id, w})
			}
			return all
		},
	}
	return p
}

func (f *fake) Send(wire.Type, uint32, any) {
	if f.pool.busy && f.open > 0 {
		f.work.Waits += 8000
		f.work.Processor += 8000 * 20 * time.Microsecond
	}
	if f.pool.asks++; !f.silent {
		f.pool.Answered(f.id, status.Counters{Open: int64(f.open), Moved: f.moved}, f.work)
	}
}

func (f *fake) TakeOver(*descriptor.FD) { f.gets = f }

func (f *fake) Spare(n int, send func(*descriptor.FD)) error {
	f.pool.spares[f.id]++
	if f.failed != nil {
		return f.failed
	}
	send(nil)
	for _, to := range f.pool.workers {
		if to.gets != nil && f.gives {
			to.open, f.open, f.moved = to.open+n, f.open-n, f.moved+int64(n)
		}
		to.gets = nil
	}
	return nil
}

// run runs the balancer for a time, and returns how many each worker has then.
func (p *pool) run(d time.Duration) (open []int) {
	p.Start()
	p.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	p.mu.Lock()
	for _, w := range p.workers {
		open = append(open, w.open)
	}
	return open
}

func wantOpen(t *testing.T, got []int, want ...int) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("the workers have %v, want %v", got, want)
			return
		}
	}
}

// After at most five seconds all have about as many; then nothing moves any more.
func TestBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(400, 0, 0, 0)
		defer p.Stop()
		wantOpen(t, p.run(5*time.Second), 100, 100, 100, 100)
		before := p.spares[0]
		if p.run(time.Minute); p.spares[0] != before {
			t.Error("more has moved")
		}
	})
}

// A worker that doesn't answer takes no part, and one that can't give is asked more and more seldom.
func TestWorkerThatDoesNotGive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(400, 0, 0, 300)
		defer p.Stop()
		p.workers[0].gives, p.workers[1].silent, p.workers[3].failed = false, true, errors.New("out of descriptors")
		wantOpen(t, p.run(time.Minute), 400, 0, 0, 300)
		if n := p.spares[0]; n < 4 || n > 8 {
			t.Errorf("asked %d times in a minute", n)
		}
		p.workers[0].gives = true
		wantOpen(t, p.run(5*time.Minute), 233, 0, 167, 300)
	})
}

// In a reload nobody is asked. A worker alone isn't either, until there is a second one.
func TestNothingToBalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(400, 0)
		p.rests = true
		if p.run(time.Minute); p.asks > 0 {
			t.Error("asked during a change")
		}
		p.rests = false
		wantOpen(t, p.run(5*time.Second), 200, 200)
		all := p.workers
		p.workers = all[:1]
		p.run(2 * time.Second)
		if p.stop != nil {
			t.Error("a timer runs for one worker")
		}
		p.workers, all[0].open = all, 400
		wantOpen(t, p.run(10*time.Second), 300, 300)
		p.Stop()
	})
}

func TestNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(400, 0)
		p.Every = reload.NoLimit
		if p.run(time.Hour); p.asks > 0 {
			t.Error("asked")
		}
	})
}

// What is set while it runs counts at once, and begins it where it was turned off.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(400, 0)
		defer p.Stop()
		p.Every = time.Hour
		wantOpen(t, p.run(59*time.Minute), 400, 0)
		p.Set(time.Second, 0)
		wantOpen(t, p.run(5*time.Second), 200, 200)
		p.Set(reload.NoLimit, 0)
		p.workers[0].open = 600
		wantOpen(t, p.run(24*time.Hour), 600, 200)
		p.Set(0, 0)
		wantOpen(t, p.run(5*time.Second), 400, 400)
	})
}

// Count asks everybody, but while connections move anyway.
func TestCount(t *testing.T) {
	p := newPool(1, 2, 3)
	p.rests = true
	if p.Count() || p.asks != 0 {
		t.Errorf("%d are asked during a change", p.asks)
	}
	p.rests = false
	if !p.Count() || p.asks != 3 {
		t.Errorf("%d of 3 are asked", p.asks)
	}
}
