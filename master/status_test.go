package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

func kinds(all []status.Change) (k []string) {
	for _, c := range all {
		k = append(k, fmt.Sprintf("%s by %q", c.Kind, c.By))
	}
	return k
}

// A Status has the workers by slot and their sockets; a reload that fails is in it with its
// error and caller, and so is every other change.
func TestStatus(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		elapse(time.Second)
		s := b.Status()
		if s.Phase != "serving" || s.Generation != 1 || s.Want != 2 || len(s.Workers) != 2 || len(s.Releases) != 1 {
			t.Fatalf("%+v", s)
		}
		for i, w := range s.Workers {
			if w.Slot != i || w.PID != 101+i || !w.IsServing() || w.Age(s.Time) != time.Second {
				t.Errorf("%+v", w)
			}
		}
		if len(s.Sockets) != 1 || s.Sockets[0].Workers != 2 || s.Sockets[0].Network != "tcp" {
			t.Errorf("sockets: %+v", s.Sockets)
		}
		b.os.script = func(p *fakeProc) { p.die(Exit{Code: 3}) }
		err := b.Reload(status.By(t.Context(), "the test"))
		b.os.script = nil
		elapse(time.Minute)
		r := b.Status().Reload
		if !errors.Is(err, reload.ErrDied) || r == nil || !r.Failed() || r.By != "the test" || r.Generation != 2 || r.Err != err.Error() {
			t.Errorf("the reload that has failed with %v is %+v", err, r)
		}
		_ = b.ScaleContext(status.By(t.Context(), "two"), 2)
		if err := b.Restart(status.By(t.Context(), "three"), 1); err != nil {
			t.Error(err)
		}
		elapse(time.Minute)
		if err := b.Restart(t.Context(), 1); !errors.Is(err, ErrNoWorker) {
			t.Errorf("a worker that has gone is restarted: %v", err)
		}
		b.reload(t)
		want := []string{`crash by ""`, `reload by "the test"`, `scale by "two"`, `restart by "three"`, `reload by ""`}
		if got := kinds(b.Status().History); !slices.Equal(got, want) {
			t.Errorf("history: %q, want %q", got, want)
		}
		b.wantLiving(t, 5, 6)
	})
}

// Watch delivers what has changed, and ends with its context and with the master. One that
// nobody reads delays nobody.
func TestWatch(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, _ := b.Watch(ctx), b.Watch(t.Context())
		b.run()
		elapse(time.Second)
		if s := <-c; s.Phase != "serving" || len(s.Workers) != 2 {
			t.Errorf("the newest is %+v", s)
		}
		go func() { _ = b.Reload(context.Background()) }()
		seen := map[string]bool{}
		for s := range c {
			seen[s.Phase] = true
			if s.Generation == 2 && s.Next == 0 && s.Phase == "serving" && len(s.Workers) == 2 {
				cancel()
			}
		}
		if !seen["rolling out"] {
			t.Errorf("seen: %v", seen)
		}
		c = b.Watch(t.Context())
		<-c
		b.Close()
		synctest.Wait()
		if _, ok := <-c; ok {
			t.Error("not closed with the master")
		}
		if s := b.Status(); s.PID != 0 {
			t.Errorf("after Close: %+v", s)
		}
	})
}

// A Status of 100 workers takes less than 5 ms.
func TestStatusOfHundredWorkers(t *testing.T) {
	o := &fakeOS{}
	m := newMaster(Config{Workers: 100, MinUptime: -1, Logger: slog.New(slog.DiscardHandler)}, o.sys())
	defer m.Close()
	go func() { _ = m.Run(context.Background()) }()
	for s := range m.Watch(t.Context()) {
		if s.Phase == "serving" {
			break
		}
	}
	for range 2 * status.HistorySize {
		_ = m.Scale(100)
	}
	best := time.Hour
	for range 20 {
		begin := time.Now()
		s := m.Status()
		best = min(best, time.Since(begin))
		if len(s.Workers) != 100 || len(s.History) != status.HistorySize {
			t.Fatalf("%d workers, %d changes", len(s.Workers), len(s.History))
		}
	}
	if best > 5*time.Millisecond {
		t.Errorf("it takes %v", best)
	}
}

// Count waits for the answers of the workers that can count, and no longer than its context.
func TestCount(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.say(wire.Hello, wire.HelloBody{Min: 1, Max: 1, Counts: true})
			p.accept("tcp", ":80")
			if p.id.Slot == 0 && p.await(wire.Count) {
				p.say(wire.Counted, wire.CountedBody{Counters: wire.Counters{Accepted: 5, Open: 2}})
			}
			p.obey()
		}
		b.run()
		elapse(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		s := b.Count(ctx) // the worker in slot 1 never answers
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("after %v", took)
		}
		if want := (status.Counters{Accepted: 5, Open: 2}); s.Total != want || s.Workers[0].Counters != want {
			t.Errorf("%+v", s)
		}
		b.proc(1).die(Exit{Code: 2})
		elapse(time.Second)
		if got, want := b.Status().Total, (status.Counters{Accepted: 5}); got != want {
			t.Errorf("after the worker's end: %+v, want %+v", got, want)
		}
	})
}

// A slot whose worker has crashed is in the Status until the next one is started.
func TestStatusOfACrashLoop(t *testing.T) {
	inBubble(t, Config{Workers: 2, MinBackoff: time.Second}, func(t *testing.T, b *bench) {
		var starts atomic.Int32
		b.os.script = func(p *fakeProc) {
			if starts.Add(1) == 3 {
				p.die(Exit{Code: 3})
				return
			}
			p.serve()
		}
		b.run()
		elapse(time.Second)
		if s := b.Status(); len(s.Backoffs) > 0 {
			t.Fatalf("before: %+v", s.Backoffs)
		}
		died := time.Now()
		b.proc(2).die(Exit{Code: 3})
		elapse(900 * time.Millisecond)
		first := []status.Backoff{{Slot: 1, Generation: 1, Crashes: 1, Until: died.Add(time.Second)}}
		if s := b.Status(); !slices.Equal(s.Backoffs, first) || len(s.Workers) != 1 {
			t.Errorf("after one crash %+v, want %+v", s.Backoffs, first)
		}
		elapse(200 * time.Millisecond)
		second := []status.Backoff{{Slot: 1, Generation: 1, Crashes: 2, Until: died.Add(2500 * time.Millisecond)}}
		if s := b.Status(); !slices.Equal(s.Backoffs, second) {
			t.Errorf("after two crashes %+v, want %+v", s.Backoffs, second)
		}
		elapse(2 * time.Second)
		if s := b.Status(); len(s.Backoffs) > 0 || len(s.Workers) != 2 {
			t.Errorf("afterwards %+v", s.Backoffs)
		}
	})
}
