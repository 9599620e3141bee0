package master

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// twoPorts accepts on a metrics port at once, and on the main port when caches are warm.
func twoPorts(warm time.Duration) func(*fakeProc) {
	return func(p *fakeProc) {
		p.hello()
		p.accept("tcp", ":9090")
		select {
		case <-time.After(warm):
			p.accept("tcp", ":80")
			p.obey()
		case <-p.died:
		}
	}
}

// A reload waits for a port that comes later than others, and closes no socket
// (docs/contract.md#ready).
func TestLatePortIsWaitedFor(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.os.script = twoPorts(5 * time.Second)
		b.run()
		elapse(10 * time.Second)
		b.os.script = twoPorts(12 * time.Second) // on a busy machine
		go func() { b.result <- b.Reload(context.Background()) }()
		elapse(12500 * time.Millisecond)
		b.wantLiving(t, 1, 2, 3)
		elapse(15 * time.Second)
		b.wantLiving(t, 3, 4)
		if err := <-b.result; err != nil {
			t.Error(err)
		}
		if n := b.open(); n != 2 {
			t.Errorf("%d sockets are open, want 2", n)
		}
	})
}

// A port that the new worker has asked for is waited for until it accepts there.
func TestPortThatWasAskedForIsWaitedFor(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		b.os.script = func(p *fakeProc) {
			p.hello()
			id := socketOf(p.listen("tcp", ":80"))
			p.accept("tcp", ":81")
			time.Sleep(30 * time.Second)
			p.say(wire.Accepting, wire.AcceptingBody{ID: id})
			p.obey()
		}
		begun := time.Now()
		if err := b.Reload(context.Background()); err != nil || time.Since(begun) != 31*time.Second {
			t.Errorf("a reload took %v: %v", time.Since(begun), err)
		}
	})
}

// What a release has dropped delays the reload by three times what it took, once, and not if
// the program says that it is done.
func TestDroppedPort(t *testing.T) {
	for _, says := range []bool{false, true} {
		inBubble(t, Config{}, func(t *testing.T, b *bench) {
			b.os.script = twoPorts(5 * time.Second)
			b.run()
			elapse(10 * time.Second)
			b.os.script = func(p *fakeProc) {
				p.hello()
				p.accept("tcp", ":9090")
				if says {
					p.say(wire.Ready, nil)
				}
				p.obey()
			}
			for _, want := range []time.Duration{16 * time.Second, time.Second} {
				if says {
					want = time.Second
				}
				begun := time.Now()
				if err := b.Reload(context.Background()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took != want {
					t.Errorf("Ready %t: a reload took %v, want %v", says, took, want)
				}
			}
		})
	}
}

// A port that the predecessor took longer for than a worker may take is not closed: the
// reload fails, and says which port it is.
func TestPortThatIsTooLate(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = twoPorts(90 * time.Second)
		b.run()
		elapse(100 * time.Second)
		err := b.Reload(context.Background())
		if !errors.Is(err, reload.ErrNotReady) || !strings.Contains(err.Error(), ":80") {
			t.Errorf("the reload: %v, want ErrNotReady and the address", err)
		}
		if n := b.open(); n != 2 {
			t.Errorf("%d sockets are open, want 2", n)
		}
	})
}

// A port that was opened and closed while the predecessor served is not waited for, one that
// a new worker opens and closes neither.
func TestClosedPortIsNotWaitedFor(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		closing := func(after time.Duration) func(*fakeProc) {
			return func(p *fakeProc) {
				p.hello()
				p.accept("tcp", ":80")
				id := p.accept("tcp", ":2121")
				time.Sleep(after)
				p.say(wire.Closed, wire.ClosedBody{ID: id})
				p.obey()
			}
		}
		b.os.script = closing(5 * time.Second)
		b.run()
		elapse(10 * time.Second)
		b.os.script = (*fakeProc).serve
		begun := time.Now()
		if err := b.Reload(context.Background()); err != nil || time.Since(begun) != time.Second {
			t.Errorf("a reload after the port was closed took %v: %v", time.Since(begun), err)
		}
	})
}

// A worker that nobody serves beside is not killed for being slow.
func TestSlowRespawn(t *testing.T) {
	inBubble(t, Config{ReadyTimeout: 2 * time.Second}, func(t *testing.T, b *bench) {
		slow := func(p *fakeProc) {
			p.hello()
			time.Sleep(5 * time.Second)
			p.accept("tcp", ":80")
			p.obey()
		}
		b.os.script = slow
		b.run()
		elapse(10 * time.Second)
		if err := b.Reload(context.Background()); !errors.Is(err, reload.ErrNotReady) {
			t.Errorf("a reload: %v, want ErrNotReady", err)
		}
		elapse(time.Minute)
		b.proc(1).die(Exit{Code: 1})
		elapse(10 * time.Second)
		b.wantLiving(t, 3)
		if sigs := b.proc(3).sigs; len(sigs) > 0 {
			t.Errorf("it got %v", sigs)
		}
	})
}

// A first start whose workers die as soon as they are ready has failed
// (docs/contract.md#reload-first).
func TestFirstStartDiesWhenReady(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			time.Sleep(2 * time.Millisecond)
			p.die(Exit{Code: 7})
		}
		var failed *StartError
		err := b.Run(context.Background())
		if !errors.As(err, &failed) || failed.Exit.Code != 7 || failed.Crashes != 3 || failed.Worker != 3 {
			t.Errorf("%v, want a StartError of the third worker", err)
		}
	})
}

// A worker that leaves as soon as it is ready is started again as rarely as one that crashes
// (docs/contract.md#reload-crash).
func TestLeavingIsBackedOff(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			p.say(wire.Draining, nil)
			p.die(Exit{})
		}
		b.run()
		elapse(5 * time.Second)
		b.os.mu.Lock()
		defer b.os.mu.Unlock()
		if n := len(b.os.procs); n < 5 || n > 10 {
			t.Errorf("%d starts in 5 s, want about 8", n)
		}
	})
}

// A reload that hangs is given up when another is requested, and at once if it has hung for
// long (docs/contract.md#reload-superseded).
func TestHangingReloadIsSuperseded(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		b.os.script = func(p *fakeProc) {
			if p.id.Generation == 2 && p.id.Slot == 1 {
				p.hello()
				p.obey()
				return
			}
			p.serve()
		}
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- b.Reload(context.Background()) }()
		elapse(1500 * time.Millisecond) // slot 0 is replaced
		go func() { second <- b.Reload(context.Background()) }()
		elapse(600 * time.Millisecond)
		var failed *reload.Error
		select {
		case err := <-first:
			if !errors.Is(err, reload.ErrSuperseded) || !errors.As(err, &failed) || failed.Slot != 1 {
				t.Errorf("the first: %v, want ErrSuperseded of slot 1", err)
			}
		default:
			t.Error("the first has not ended")
		}
		elapse(3 * time.Second)
		select {
		case err := <-second:
			if err != nil {
				t.Errorf("the second: %v", err)
			}
		default:
			t.Error("the second has not ended")
		}
		for _, w := range b.Workers() {
			if w.Generation() != 3 && w.State() != Draining {
				t.Errorf("worker %d is of generation %d", w.ID(), w.Generation())
			}
		}
	})
}

// A reload that makes progress is completed however often others are requested.
func TestReloadStormMakesProgress(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			time.Sleep(500 * time.Millisecond)
			p.serve()
		}
		b.run()
		elapse(time.Second)
		for range 100 {
			go func() { _ = b.Reload(context.Background()) }()
			elapse(100 * time.Millisecond)
		}
		done := b.Workers()[0].Generation()
		if done < 6 { // 1.5 s each
			t.Errorf("generation %d serves after 10 s of reloads", done)
		}
	})
}

// However often the program is reloaded, the workers that drain are bounded, all requests
// that wait become one reload, and none is cut (docs/contract.md#reload-generations).
func TestDrainingIsBounded(t *testing.T) {
	inBubble(t, Config{MinUptime: -1, MaxDraining: 3}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			if p.await(wire.Disconnect) {
				time.Sleep(10 * time.Second) // a download
				p.die(Exit{})
			}
		}
		b.run()
		results := make(chan error, 100)
		for range 100 {
			go func() { results <- b.Reload(context.Background()) }()
			elapse(50 * time.Millisecond)
			if n := len(b.living()); n > 4 {
				t.Fatalf("%d workers live, want at most 4", n)
			}
		}
		b.wantLiving(t, 1, 2, 3, 4)
		elapse(10 * time.Second)
		for range 100 {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		elapse(20 * time.Second)
		b.wantLiving(t, 5)
		for _, p := range b.os.procs {
			if len(p.sigs) > 0 {
				t.Errorf("worker %d got %v", p.id.ID, p.sigs)
			}
		}
	})
}

// A new worker that gives no sign of life when its trial ends, such as a process that has been
// stopped, doesn't replace the old one (docs/contract.md#reload-abort).
func TestSignOfLife(t *testing.T) {
	for _, tc := range []struct {
		name    string
		after   time.Duration // of the answer; 0: none
		took    time.Duration
		failing bool
	}{
		{"at once", time.Millisecond, time.Second, false},
		{"late", 4 * time.Second, 4750 * time.Millisecond, false},
		{"never", 0, 5750 * time.Millisecond, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, b *bench) {
				b.run()
				b.os.script = func(p *fakeProc) {
					p.pings()
					p.accept("tcp", ":80")
					if p.id.Generation == 2 && p.await(wire.Check) && tc.after > 0 {
						time.Sleep(tc.after)
						p.frames <- link.Packet{Frame: wire.Frame{Type: wire.Checked, Call: child.SignOfLife, Body: wire.Body(wire.CheckedBody{})}}
					}
					p.obey()
				}
				begun := time.Now()
				err := b.Reload(context.Background())
				if errors.Is(err, reload.ErrNoAnswer) != tc.failing || !tc.failing && err != nil {
					t.Errorf("the reload: %v", err)
				}
				if took := time.Since(begun); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
			})
		})
	}
}
