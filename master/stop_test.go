//go:build linux

package master

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// stubborn makes workers that serve, never leave, and note what time they are given.
func stubborn(b *bench) (given func(worker int) []time.Duration) {
	all := map[int][]time.Duration{}
	b.os.script = func(p *fakeProc) {
		p.hello()
		p.accept("tcp", ":80")
		for {
			select {
			case f := <-p.got:
				var body wire.DisconnectBody
				if f.Type == wire.Disconnect && f.Decode(&body) == nil {
					p.os.mu.Lock()
					all[p.id.ID] = append(all[p.id.ID], body.Grace)
					p.os.mu.Unlock()
					p.say(wire.Draining, nil)
				}
			case <-p.died:
				return
			}
		}
	}
	return func(worker int) []time.Duration {
		synctest.Wait()
		b.os.mu.Lock()
		defer b.os.mu.Unlock()
		return slices.Clone(all[worker])
	}
}

// A reload gives its workers Grace, a stop StopGrace, and a second Stop no more time. A third
// changes nothing.
func TestGraceAndStopGrace(t *testing.T) {
	cfg := Config{Grace: 8 * time.Hour, StopGrace: 10 * time.Second, KillAfter: 2 * time.Second, MinUptime: AtOnce}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		given := stubborn(b)
		b.run()
		if err := b.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[int][]time.Duration{1: {8 * time.Hour}}
		check := func(when string) {
			t.Helper()
			for worker := 1; worker <= 2; worker++ {
				if got := given(worker); !slices.Equal(got, want[worker]) {
					t.Errorf("%s: worker %d was given %v, want %v", when, worker, got, want[worker])
				}
			}
		}
		check("reload")
		elapse(time.Hour)
		_ = b.Stop()
		want[1], want[2] = append(want[1], 10*time.Second), []time.Duration{10 * time.Second}
		check("stop")
		elapse(3 * time.Second)
		want[1], want[2] = append(want[1], 0), append(want[2], 0)
		for range 2 {
			_ = b.Stop()
			check("stop again")
		}
		elapse(4*time.Second + time.Millisecond) // a second more than the grace, KillAfter, and not yet again
		b.wantLiving(t, 1, 2)
		elapse(time.Second)
		b.wantLiving(t)
		if err := await(t, b.result); err != nil {
			t.Error(err)
		}
	})
}

// Without StopGrace a stop has Grace. A worker that is told to leave by the program has that of
// its own generation, and Disconnect has StopGrace for workers of Fork.
func TestGraceWithoutStop(t *testing.T) {
	inBubble(t, Config{Grace: time.Minute}, func(t *testing.T, b *bench) {
		given := stubborn(b)
		b.run()
		_ = b.Stop()
		if got := given(1); !slices.Equal(got, []time.Duration{time.Minute}) {
			t.Errorf("at a stop: %v, want Grace", got)
		}
	})
	inBubble(t, Config{Grace: AtOnce, StopGrace: 3 * time.Second}, func(t *testing.T, b *bench) {
		given := stubborn(b)
		w, _ := b.Fork(nil)
		synctest.Wait()
		_ = w.Disconnect()
		if got := given(1); !slices.Equal(got, []time.Duration{0}) {
			t.Errorf("(*Worker).Disconnect: %v, want Grace", got)
		}
		_, _ = b.Fork(nil)
		synctest.Wait()
		go func() { _ = b.Disconnect(context.Background()) }()
		if got := given(2); !slices.Equal(got, []time.Duration{3 * time.Second}) {
			t.Errorf("(*Master).Disconnect: %v, want StopGrace", got)
		}
	})
}

// For StopDelay everything goes on: workers serve, and one that crashes is replaced. A reload and
// an upgrade are refused.
func TestStopDelay(t *testing.T) {
	inBubble(t, Config{StopDelay: 5 * time.Second, MinUptime: AtOnce}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { b.result <- b.Run(ctx) }()
		synctest.Wait()
		cancel()
		elapse(time.Second)
		b.wantLiving(t, 1)
		if err := b.Reload(t.Context()); !errors.Is(err, ErrStopping) {
			t.Errorf("a reload: %v", err)
		}
		if err := b.Upgrade(t.Context()); !errors.Is(err, ErrStopping) {
			t.Errorf("an upgrade: %v", err)
		}
		b.proc(1).die(Exit{Code: 3})
		elapse(3 * time.Second)
		b.wantLiving(t, 2)
		elapse(time.Second - time.Millisecond)
		b.wantLiving(t, 2)
		elapse(time.Millisecond)
		b.wantLiving(t)
		if err := await(t, b.result); err != nil {
			t.Error(err)
		}
	})
}

// A second Stop ends the delay and not the grace. The timer of the delay has no effect on a
// later Run.
func TestStopEndsTheDelay(t *testing.T) {
	inBubble(t, Config{StopDelay: time.Minute, Grace: time.Hour, StopGrace: time.Second}, func(t *testing.T, b *bench) {
		b.run()
		_ = b.Stop()
		elapse(time.Second)
		b.wantLiving(t, 1)
		_ = b.Stop()
		b.wantLiving(t)
		if err := await(t, b.result); err != nil {
			t.Error(err)
		}
		b.run()
		elapse(2 * time.Minute)
		b.wantLiving(t, 2)
	})
}

// Nothing is delayed for Disconnect, nor where no worker is ready: nobody would be served.
func TestNoStopDelay(t *testing.T) {
	inBubble(t, Config{StopDelay: time.Hour}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.Disconnect(t.Context()); err != nil {
			t.Error(err)
		}
		b.wantLiving(t)
	})
	inBubble(t, Config{StopDelay: time.Hour}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) { p.hello(); p.obey() }
		b.run()
		_ = b.Stop()
		b.wantLiving(t)
	})
}

// Stop does nothing without Run.
func TestStopWithoutRun(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		for range 2 {
			if err := b.Stop(); err != nil {
				t.Error(err)
			}
		}
		b.run()
		b.wantLiving(t, 1)
		_ = b.Close()
		if err := b.Stop(); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// A drain is in Serving, Status and the history, and everything is served on. It ends with the Run.
func TestSetDrained(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		elapse(time.Second)
		changes := b.Watch(t.Context())
		<-changes
		for _, drained := range []bool{true, true, false, true} {
			if err := b.SetDrained(status.By(t.Context(), "me"), drained); err != nil {
				t.Error(err)
			}
			ready, slots, s := b.Serving()
			if s.Drained() != drained || b.Status().Drained != drained || s.Phase() != reload.PhaseServing || ready != 2 || slots != 2 {
				t.Errorf("drained %v: %d of %d, %v", drained, ready, slots, s)
			}
		}
		elapse(time.Second)
		if s := <-changes; !s.Drained {
			t.Error("those who watch aren't told")
		}
		b.reload(t)
		if got, want := kinds(b.Status().History), []string{`drain by "me"`, `undrain by "me"`, `drain by "me"`, `reload by ""`}; !slices.Equal(got, want) {
			t.Errorf("history %q, want %q", got, want)
		}
		if _, _, s := b.Serving(); !s.Drained() {
			t.Error("a reload has ended the drain")
		}
		b.Stop()
		elapse(time.Minute)
		if _, _, s := b.Serving(); s.Phase() != reload.PhaseIdle || s.Drained() {
			t.Errorf("after the Run: %v", s)
		}
	})
}
