package master

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// A canary serves beside the old workers for CanaryTime, or until Promote; Abort has the reload
// rolled back, and so has the end of a canary.
func TestCanary(t *testing.T) {
	cfg := Config{Workers: 3, Canary: 1, CanaryTime: 5 * time.Minute, MinUptime: -1}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		ctx := status.By(context.Background(), "me")
		if err := b.Promote(ctx); !errors.Is(err, ErrNoReload) {
			t.Errorf("without a reload: %v", err)
		}
		b.run()
		for _, tc := range []struct {
			name   string
			decide func() error
			want   error
			after  time.Duration
		}{
			{"nobody decides", func() error { return nil }, nil, 5 * time.Minute},
			{"promoted", func() error { return b.Promote(ctx) }, nil, time.Minute},
			{"aborted", func() error { return b.Abort(ctx) }, reload.ErrAborted, time.Minute},
			{"dies", b.killCanary, reload.ErrDied, time.Minute},
		} {
			begun, before := time.Now(), b.Status().Generation
			result := make(chan error, 1)
			go func() { result <- b.Reload(ctx) }()
			elapse(time.Minute)
			next := b.Status().Next
			if got := b.generations(); got[before] != 3 || got[next] != 1 || len(got) != 2 {
				t.Fatalf("%s: generations %v on trial", tc.name, got)
			}
			if err := tc.decide(); err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			if err := <-result; !errors.Is(err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
			if took := time.Since(begun); took != tc.after {
				t.Errorf("%s: after %v, want %v", tc.name, took, tc.after)
			}
			elapse(time.Hour) // of drains
			if tc.want != nil {
				next = before
			}
			if got := b.generations(); got[next] != 3 || len(got) != 1 {
				t.Errorf("%s: generations %v at the end", tc.name, got)
			}
		}
	})
}

// A reload with canaries of its own has them whatever is configured, for the time that it says or else
// that of the configuration, and the next has none. Of those that wait for another change, the last counts.
func TestReloadCanary(t *testing.T) {
	inBubble(t, Config{Workers: 4, CanaryTime: time.Hour, MinUptime: -1}, func(t *testing.T, b *bench) {
		ctx := context.Background()
		for _, bad := range []error{b.ReloadCanary(ctx, -1, 0), b.ReloadCanary(ctx, 1, -1)} {
			if c := (*ConfigError)(nil); !errors.As(bad, &c) {
				t.Errorf("%v", bad)
			}
		}
		b.run()
		for _, tc := range []struct {
			name   string
			reload func() error
			took   time.Duration
		}{
			{"for ten minutes", func() error { return b.ReloadCanary(ctx, 3, 10*time.Minute) }, 10 * time.Minute},
			{"as long as configured", func() error { return b.ReloadCanary(ctx, 3, 0) }, time.Hour},
			{"none", func() error { return b.Reload(ctx) }, 0},
			{"none, though", func() error { return b.ReloadCanary(ctx, 0, time.Hour) }, 0},
		} {
			begun, before := time.Now(), b.Status().Generation
			result := make(chan error, 1)
			go func() { result <- tc.reload() }()
			if elapse(tc.took / 2); tc.took > 0 {
				if got := b.generations(); got[before] != 4 || got[before+1] != 3 {
					t.Errorf("%s: generations %v on trial", tc.name, got)
				}
			}
			if err := <-result; err != nil || time.Since(begun) != tc.took {
				t.Errorf("%s: %v after %v", tc.name, err, time.Since(begun))
			}
			elapse(time.Minute)
		}
		go func() { _ = b.ReloadCanary(ctx, 1, time.Minute) }()
		synctest.Wait()
		results := make(chan error, 4)
		for _, ask := range []func() error{
			func() error { return b.ReloadCanary(ctx, 1, time.Second) },
			func() error { return b.ReloadCanary(ctx, 2, 10*time.Minute) },
			func() error { return b.Reload(ctx) },
		} {
			go func() { results <- ask() }()
			synctest.Wait()
		}
		elapse(5 * time.Minute)
		if got := b.generations(); got[6] != 4 || got[7] != 2 {
			t.Errorf("generations %v", got)
		}
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// A reload that is paused stands still, with the time of its canaries, and goes on where it was.
func TestPause(t *testing.T) {
	cfg := Config{Workers: 3, Canary: 1, CanaryTime: 5 * time.Minute, MinUptime: -1}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		ctx := context.Background()
		for _, err := range []error{b.Pause(ctx), b.Resume(ctx)} {
			if !errors.Is(err, ErrNoReload) {
				t.Errorf("without a reload: %v", err)
			}
		}
		b.run()
		begun := time.Now()
		result := make(chan error, 1)
		go func() { result <- b.Reload(ctx) }()
		elapse(time.Minute)
		for range 2 {
			paused := time.Now()
			if err := errors.Join(b.Pause(ctx), b.Pause(ctx)); err != nil {
				t.Fatal(err)
			}
			elapse(time.Hour)
			if s := b.Status(); !s.Paused.Equal(paused) || b.generations()[1] != 3 || b.generations()[2] != 1 {
				t.Errorf("paused at %v, generations %v", s.Paused, b.generations())
			}
			if err := errors.Join(b.Resume(ctx), b.Resume(ctx)); err != nil {
				t.Fatal(err)
			}
			elapse(time.Second)
		}
		if err := <-result; err != nil || time.Since(begun) != 2*time.Hour+5*time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if s := b.Status(); !s.Paused.IsZero() || s.Generation != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// What is decided while a reload is being prepared holds for it from its first step on, and not for the next.
func TestDecidedWhilePrepared(t *testing.T) {
	inBubble(t, Config{Workers: 3, Canary: 1, CanaryTime: 5 * time.Minute, MinUptime: -1}, func(t *testing.T, b *bench) {
		ctx := context.Background()
		b.run()
		for _, tc := range []struct {
			name   string
			decide []func(context.Context) error
			paused bool
			want   error
			took   time.Duration // from the end of the preparation; of a paused one, of the pause
		}{
			{"paused", []func(context.Context) error{b.Pause}, true, nil, 5 * time.Minute},
			{"paused and resumed", []func(context.Context) error{b.Pause, b.Resume}, false, nil, 5 * time.Minute},
			{"promoted", []func(context.Context) error{b.Promote}, false, nil, 0},
			{"paused and promoted", []func(context.Context) error{b.Pause, b.Promote}, true, nil, 0},
			{"aborted", []func(context.Context) error{b.Abort}, false, reload.ErrAborted, 0},
			{"the next", nil, false, nil, 5 * time.Minute},
		} {
			prepared, result := make(chan struct{}), make(chan error, 1)
			b.os.prepare = func(int) error { <-prepared; return nil }
			before := b.Status().Generation
			go func() { result <- b.Reload(ctx) }()
			elapse(time.Second)
			for _, decide := range tc.decide {
				if err := decide(ctx); err != nil {
					t.Fatalf("%s: %v", tc.name, err)
				}
			}
			elapse(time.Second)
			close(prepared)
			synctest.Wait()
			begun := time.Now()
			if s := b.Status(); s.Paused.IsZero() == tc.paused {
				t.Errorf("%s: paused since %v", tc.name, s.Paused)
			}
			if tc.paused {
				if elapse(time.Hour); b.generations()[before] != 3 || b.Status().Next == 0 {
					t.Errorf("%s: generations %v after an hour", tc.name, b.generations())
				}
				if err := b.Resume(ctx); err != nil {
					t.Fatalf("%s: %v", tc.name, err)
				}
				begun = time.Now()
			}
			if err := <-result; !errors.Is(err, tc.want) || time.Since(begun) != tc.took {
				t.Errorf("%s: %v after %v, want %v after %v", tc.name, err, time.Since(begun), tc.want, tc.took)
			}
			elapse(time.Minute)
		}
	})
}

// killCanary ends the newest worker.
func (b *bench) killCanary() error {
	ids := b.living()
	b.proc(ids[len(ids)-1]).die(Exit{Code: 3})
	synctest.Wait()
	return nil
}

// A canary that fails its health checks ends the reload, and the workers of before serve on.
func TestCanaryIsUnwell(t *testing.T) {
	cfg := Config{Workers: 2, Canary: 1, HealthInterval: time.Second, HealthFailures: 3}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		ill := watched(func() (string, bool) { return "no database", true })
		b.os.script = func(p *fakeProc) {
			if p.id.Generation == 2 {
				ill(p)
				return
			}
			p.serve()
		}
		b.run()
		begun := time.Now()
		if err := b.Reload(context.Background()); !errors.Is(err, reload.ErrUnwell) {
			t.Errorf("%v, want ErrUnwell", err)
		}
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("after %v, want three checks", took)
		}
		if elapse(time.Minute); b.generations()[1] != 2 {
			t.Errorf("generations %v", b.generations())
		}
	})
}
