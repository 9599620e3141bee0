package master

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/reload"
)

// generations returns the generations of the workers that live.
func (b *bench) generations() map[int]int {
	n := map[int]int{}
	for _, w := range b.Workers() {
		n[w.Generation()]++
	}
	return n
}

// Rollback returns to the release that the last reload has replaced, without looking up what is at
// its path now, and back. Config of that time counts.
func TestRollback(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		ctx := context.Background()
		if err := b.Rollback(ctx); !errors.Is(err, ErrNotRunning) {
			t.Errorf("without Run: %v", err)
		}
		var looked []int
		b.os.prepare = func(number int) error { looked = append(looked, number); return nil }
		b.run()
		if err := b.Rollback(ctx); !errors.Is(err, ErrNoRelease) {
			t.Errorf("without a reload: %v", err)
		}
		if err := b.Setup(Config{MinUptime: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		for n, change := range []func(context.Context) error{b.Reload, b.Rollback, b.Rollback} {
			begun := time.Now()
			if err := change(ctx); err != nil {
				t.Fatalf("change %d: %v", n, err)
			}
			elapse(time.Minute) // of drains
			if got := b.generations(); len(got) != 1 || got[n+2] != 2 {
				t.Errorf("after change %d: %v", n, got)
			}
			if took, want := time.Since(begun)-time.Minute, []time.Duration{6, 2, 6}[n]*time.Second; took != want {
				t.Errorf("change %d took %v, want %v: the MinUptime of its configuration", n, took, want)
			}
		}
		if len(looked) != 2 {
			t.Errorf("looked up: %v, want generations 1 and 2", looked)
		}
		if last := b.Status().Reload; last == nil || !last.Back || last.Generation != 4 {
			t.Errorf("the last reload is %+v", last)
		}
	})
}

// A Rollback that fails is rolled back as any reload is, and what it would go back to stays.
func TestRollbackFails(t *testing.T) {
	inBubble(t, Config{Workers: 2, MinUptime: -1}, func(t *testing.T, b *bench) {
		broken := true
		b.os.script = func(p *fakeProc) {
			if broken && p.id.Generation == 3 {
				p.hello()
				p.die(Exit{Code: 3})
				return
			}
			p.serve()
		}
		b.run()
		if err := b.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := b.Rollback(context.Background()); !errors.Is(err, reload.ErrDied) {
			t.Errorf("%v, want ErrDied", err)
		}
		if broken = false; b.generations()[2] != 2 {
			t.Errorf("generations %v", b.generations())
		}
		if err := b.Rollback(context.Background()); err != nil {
			t.Errorf("the second: %v", err)
		}
	})
}

// A Rollback doesn't wait for another change, which may change what it would go back to.
func TestRollbackDoesNotWait(t *testing.T) {
	inBubble(t, Config{Workers: 1}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		go func() { _ = b.Reload(context.Background()) }()
		synctest.Wait()
		if err := b.Rollback(context.Background()); !errors.Is(err, ErrBusy) {
			t.Errorf("during a reload: %v, want ErrBusy", err)
		}
		elapse(time.Minute)
		if err := b.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
