package master

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// These tests carry out the decisions of reload.Policy on a fake system (docs/contract.md#reload).

// reload reloads and lets the whole roll pass.
func (b *bench) reload(t *testing.T) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- b.Reload(context.Background()) }()
	elapse(10 * time.Second)
	select {
	case err := <-result:
		return err
	default:
		t.Fatal("the reload does not end")
		return nil
	}
}

func TestRunKeepsWorkersAlive(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		b.wantLiving(t, 1, 2)
		b.proc(1).die(Exit{Code: 2})
		elapse(90 * time.Millisecond)
		b.wantLiving(t, 2) // the back-off
		elapse(20 * time.Millisecond)
		b.wantLiving(t, 2, 3)
		if slot := b.Worker(3).Slot(); slot != 0 {
			t.Errorf("the successor is in slot %d, want 0", slot)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { b.result <- b.Run(ctx) }()
		synctest.Wait()
		if err := b.Run(ctx); !errors.Is(err, ErrRunning) {
			t.Errorf("a second Run: %v, want ErrRunning", err)
		}
		cancel()
		if err := <-b.result; err != nil {
			t.Errorf("Run: %v", err)
		}
		b.wantLiving(t)
		if err := b.Reload(context.Background()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Reload without Run: %v, want ErrNotRunning", err)
		}
	})
}

// The new before the old: at every moment of a roll both slots are ready.
func TestReloadReplacesSlotBySlot(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		result := make(chan error, 1)
		go func() { result <- b.Reload(context.Background()) }()
		synctest.Wait()
		b.wantLiving(t, 1, 2, 3)
		elapse(time.Second - time.Millisecond)
		b.wantLiving(t, 1, 2, 3) // MinUptime
		elapse(2 * time.Millisecond)
		b.wantLiving(t, 2, 3, 4)
		elapse(time.Second)
		b.wantLiving(t, 3, 4)
		if err := <-result; err != nil {
			t.Errorf("Reload: %v", err)
		}
		for _, w := range b.Workers() {
			if w.Generation() != 2 {
				t.Errorf("worker %d is of generation %d", w.ID(), w.Generation())
			}
		}
	})
}

func TestReloadsCoalesce(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		results := make(chan error, 10)
		for range 10 {
			go func() { results <- b.Reload(context.Background()) }()
		}
		elapse(time.Minute)
		for range 10 {
			if err := <-results; err != nil {
				t.Errorf("Reload: %v", err)
			}
		}
		if w := b.Workers()[0]; w.Generation() > 3 {
			t.Errorf("ten reloads at once made generation %d, want at most 3", w.Generation())
		}
	})
}

// A broken new version: the reload's error says which worker and why, and the old ones
// serve on.
func TestReloadAborts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		broken func(*fakeProc)
		want   error
	}{
		{"dies at once", func(p *fakeProc) { p.die(Exit{Code: 3}) }, reload.ErrDied},
		{"hangs before Listen", func(p *fakeProc) { p.hello(); <-p.died }, reload.ErrNotReady},
		{"dies within MinUptime", func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			time.Sleep(500 * time.Millisecond)
			p.die(Exit{Code: 4})
		}, reload.ErrDied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := Config{Workers: 2, ReadyTimeout: 5 * time.Second, KillAfter: time.Second, Grace: time.Second}
			inBubble(t, cfg, func(t *testing.T, b *bench) {
				b.run()
				b.os.script = tc.broken
				err := b.reload(t)
				var e *reload.Error
				if !errors.As(err, &e) || !errors.Is(err, tc.want) || e.Worker != 3 || e.Slot != 0 || e.Generation != 2 {
					t.Errorf("Reload: %v, want a *reload.Error of worker 3 with %v", err, tc.want)
				}
				b.wantLiving(t, 1, 2)
				b.os.script = nil
				if err := b.reload(t); err != nil {
					t.Errorf("the next good reload: %v", err)
				}
				if w := b.Workers()[0]; w.Generation() != 3 {
					t.Errorf("after it generation %d serves, want 3", w.Generation())
				}
			})
		})
	}
}

// An executable that is gone fails the reload before anything is started.
func TestReloadWithoutExecutable(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		b.os.prepare = func(int) error { return errTest }
		err := b.reload(t)
		var failed *reload.Error
		if !errors.Is(err, errTest) || !errors.As(err, &failed) || failed.Worker != 0 || failed.Generation != 2 {
			t.Errorf("Reload: %v, want a *reload.Error of generation 2", err)
		}
		if want := "reload: no worker of generation 2: test"; err.Error() != want {
			t.Errorf("Reload: %v, want %v", err, want)
		}
		b.wantLiving(t, 1)
	})
}

func TestFirstStartFails(t *testing.T) {
	inBubble(t, Config{Workers: 3}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			if p.id.Slot == 1 {
				p.die(Exit{Code: 7})
				return
			}
			p.serve()
		}
		err := b.Run(context.Background())
		var start *StartError
		if !errors.As(err, &start) || start.Exit.Code != 7 {
			t.Errorf("Run: %v, want a *StartError with status 7", err)
		}
		b.wantLiving(t)
	})
}

func TestFirstStartWithoutExecutable(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.prepare = func(int) error { return errTest }
		if err := b.Run(context.Background()); !errors.Is(err, errTest) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestSpawnFailureIsABackedOffCrash(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		elapse(time.Second) // the start has not failed
		b.os.spawn = func(int) error { return errTest }
		b.proc(1).die(Exit{Code: 1})
		elapse(time.Minute)
		b.os.mu.Lock()
		b.os.spawn = nil
		b.os.mu.Unlock()
		elapse(time.Minute)
		if n := len(b.living()); n != 1 {
			t.Errorf("%d workers live, want 1", n)
		}
	})
}

// A worker is ready when it has called Accept on every address that its predecessor
// served (docs/contract.md#ready).
func TestReadyMeansEveryAddress(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			p.accept("tcp", ":81")
			p.obey()
		}
		b.run()
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			time.Sleep(500 * time.Millisecond)
			p.accept("tcp", ":81")
			p.obey()
		}
		go func() { _ = b.Reload(context.Background()) }()
		elapse(1400 * time.Millisecond)
		b.wantLiving(t, 1, 2) // ready after 500 ms, and MinUptime
		elapse(200 * time.Millisecond)
		b.wantLiving(t, 2)
	})
}

func TestWaitReady(t *testing.T) {
	inBubble(t, Config{WaitReady: true, MinUptime: -1}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			time.Sleep(3 * time.Second)
			p.say(wire.Ready, nil)
			p.obey()
		}
		b.run()
		elapse(5 * time.Second)
		go func() { _ = b.Reload(context.Background()) }()
		elapse(2900 * time.Millisecond)
		b.wantLiving(t, 1, 2)
		elapse(200 * time.Millisecond)
		b.wantLiving(t, 2)
	})
}

func TestScale(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.Scale(3); err != nil {
			t.Fatal(err)
		}
		b.wantLiving(t, 1, 2, 3)
		if n := b.Settings().Workers; n != 3 {
			t.Errorf("Settings().Workers = %d", n)
		}
		_ = b.Scale(1)
		b.wantLiving(t, 1)
		var config *ConfigError
		if err := b.Scale(0); !errors.As(err, &config) {
			t.Errorf("Scale(0): %v", err)
		}
	})
}

// The place of a worker that was killed stays empty until there is a Scale, also one
// to the number that it was.
func TestScaleAfterKill(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.Worker(1).Kill(os.Kill); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		b.wantLiving(t, 2)
		_ = b.Scale(2)
		b.wantLiving(t, 2, 3)
	})
}

// Setup has a say in the number of workers until they run.
func TestSetupWorkers(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		_ = b.Setup(Config{Workers: 2})
		_ = b.Setup(Config{})
		b.run()
		b.wantLiving(t, 1, 2)
		_ = b.Setup(Config{Workers: 3})
		if n := b.Settings().Workers; n != 2 {
			t.Errorf("Settings().Workers = %d, want the 2 that run", n)
		}
		b.wantLiving(t, 1, 2)
	})
}

// What the program does to its Config, or to one that it was given, changes nothing.
func TestSettingsIsACopy(t *testing.T) {
	mine := Config{Args: []string{"x"}, ExtraFiles: []*os.File{os.Stdin}}
	inBubble(t, mine, func(t *testing.T, b *bench) {
		b.Subscribe(Events{Setup: func(cfg Config) { cfg.Args[0] = "event" }})
		check := func(what string) {
			t.Helper()
			synctest.Wait()
			if cfg := b.Settings(); cfg.Args[0] != "x" || cfg.ExtraFiles[0] != os.Stdin {
				t.Errorf("after a change of %s: %v", what, cfg.Args)
			}
		}
		mine.Args[0], mine.ExtraFiles[0] = "mine", nil
		check("what New was given")
		mine = Config{Args: []string{"x"}, ExtraFiles: []*os.File{os.Stdin}}
		_ = b.Setup(mine)
		mine.Args[0], mine.ExtraFiles[0] = "mine", nil
		check("what Setup was given, or the event")
		theirs := b.Settings()
		theirs.Args[0], theirs.ExtraFiles[0] = "theirs", nil
		check("what Settings returned")
	})
}

// A worker that doesn't leave is asked, then forced: KillAfter each.
func TestForce(t *testing.T) {
	inBubble(t, Config{MinUptime: -1, Grace: 2 * time.Second, KillAfter: time.Second}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			<-p.died
		}
		b.run()
		b.os.script = nil
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		b.wantLiving(t, 2)
		p := b.proc(1)
		if len(p.sigs) != 2 || p.sigs[0].String() != "terminated" || p.sigs[1].String() != "killed" {
			t.Errorf("signals %v, want terminated, killed", p.sigs)
		}
	})
}

// Only the new workers of a reload begin to accept late (docs/decisions/0006).
func TestHoldOffOnlyInARoll(t *testing.T) {
	inBubble(t, Config{MinUptime: 4 * time.Second}, func(t *testing.T, b *bench) {
		held := map[int]time.Duration{}
		b.os.script = func(p *fakeProc) {
			p.hello()
			var body wire.WelcomeBody
			f := <-p.got
			_ = f.Decode(&body)
			b.os.mu.Lock()
			held[p.id.ID] = body.HoldOff
			b.os.mu.Unlock()
			p.accept("tcp", ":80")
			p.obey()
		}
		b.run()
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		b.proc(2).die(Exit{Code: 1})
		elapse(time.Second)
		b.os.mu.Lock()
		defer b.os.mu.Unlock()
		if held[1] != 0 || held[2] != 3*time.Second || held[3] != 0 {
			t.Errorf("held off: %v, want only worker 2, for 3s", held)
		}
	})
}
