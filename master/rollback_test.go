package master

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/reload"
)

// A roll-back starts workers at once in place of those that have just left for the reload.
func TestRollBackStartsAtOnce(t *testing.T) {
	inBubble(t, Config{Workers: 2, MinUptime: -1}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			if p.id.Generation == 2 && p.id.Slot == 1 {
				p.hello()
				p.die(Exit{Code: 3})
				return
			}
			p.serve()
		}
		b.run()
		begun := time.Now()
		if err := b.Reload(context.Background()); !errors.Is(err, reload.ErrDied) {
			t.Errorf("%v, want ErrDied", err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("the roll-back took %v", took)
		}
	})
}

// A reload that waits begins as soon as the one before has failed. While its executable
// is looked up, the roll-back goes on, and may be over: that is not the end of
// the reload that has begun.
func TestRollBackEndsWhileTheNextReloadPrepares(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			if p.id.Generation == 2 && p.id.Slot == 1 {
				p.hello()
				p.die(Exit{Code: 3})
				return
			}
			p.serve()
		}
		b.os.prepare = func(number int) error {
			if number == 3 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		b.run()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- b.Reload(context.Background()) }()
		synctest.Wait()
		go func() { second <- b.Reload(context.Background()) }()
		elapse(4 * time.Second) // rolled back by now
		if err := <-first; !errors.Is(err, reload.ErrDied) {
			t.Errorf("the first: %v, want ErrDied", err)
		}
		select {
		case err := <-second:
			t.Errorf("the second has ended before it began: %v", err)
		default:
		}
		elapse(10 * time.Second)
		if err := <-second; err != nil {
			t.Errorf("the second: %v", err)
		}
		for _, w := range b.Workers() {
			if w.Generation() != 3 {
				t.Errorf("worker %d is of generation %d", w.ID(), w.Generation())
			}
		}
	})
}

// The configuration of a reload that has failed doesn't apply to the workers that stay: they aren't replaced by its MaxAge.
func TestRollBackEndsThePolicy(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		if err := b.Setup(Config{MaxAge: time.Minute}); err != nil {
			t.Fatal(err)
		}
		b.os.script = func(p *fakeProc) { p.hello(); p.die(Exit{Code: 3}) }
		if err := b.Reload(context.Background()); !errors.Is(err, reload.ErrDied) {
			t.Errorf("%v, want ErrDied", err)
		}
		b.os.script = (*fakeProc).serve
		elapse(time.Hour)
		if got := ids(b.Master); len(got) != 1 || got[0] != 1 {
			t.Errorf("the workers are %v after an hour, want the first", got)
		}
	})
}

func ids(m *Master) (all []int) {
	for _, w := range m.Workers() {
		all = append(all, w.ID())
	}
	return all
}
