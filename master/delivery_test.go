//go:build linux

package master

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/wire"
)

// ends are the ways to learn that worker 1 has ended.
var ends = map[string]func(w *world, x *Worker){
	"Exited":     func(_ *world, x *Worker) { _ = x.Kill(nil); <-x.Exited() },
	"Disconnect": func(w *world, _ *Worker) { _ = w.Disconnect(context.Background()) },
	"Close":      func(w *world, _ *Worker) { _ = w.Close() },
}

// Who learns that a worker has ended finds that the functions of Exit have been told.
func TestExitIsDeliveredFirst(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var exits atomic.Int32
				w.Subscribe(Events{
					Online: func(*Worker) { time.Sleep(delivery.CallTimeout * 3 / 4) },
					Exit:   func(*Worker, Exit) { time.Sleep(delivery.CallTimeout * 3 / 4); exits.Add(1) },
				})
				worker, _ := w.fork()
				end(w, worker)
				check(t, "exits", exits.Load(), 1)
			})
		})
	}
}

// A function that takes its time, or waits for the very end, holds nobody up.
func TestSlowFunctionDelaysNoEnd(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				over := make(chan struct{})
				cancel := w.Subscribe(Events{Exit: func(*Worker, Exit) { <-over }})
				defer cancel()
				worker, _ := w.fork()
				began := time.Now()
				w.soon(name, func() { end(w, worker) })
				if d := time.Since(began); d > 2*delivery.CallTimeout {
					t.Errorf("it took %v", d)
				}
				close(over)
			})
		})
	}
}

// Run is told like anybody else.
func TestRunEndsAfterExit(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		var exits atomic.Int32
		b.Subscribe(Events{Exit: func(*Worker, Exit) { time.Sleep(delivery.CallTimeout / 2); exits.Add(1) }})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
		check(t, "exits", exits.Load(), 1)
	})
}

// However many functions there are to call, the wait has an end.
func TestHearingEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Subscribe(Events{Online: func(*Worker) { time.Sleep(delivery.CallTimeout / 2) }})
		for range 100 {
			w.fork()
		}
		worker := w.Worker(100)
		began := time.Now()
		_ = worker.Kill(nil)
		<-worker.Exited()
		check(t, "time taken", time.Since(began), delivery.QueueTimeout)
	})
}

// The classic: whoever has gone is replaced. Disconnect waits for those that there
// were, and their successors live on.
func TestDisconnectAllOfAReplacer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = func(a *actor) {
			a.hello()
			for f := range a.link.orders() {
				if f.Type == wire.Disconnect {
					time.AfterFunc(time.Duration(a.id.ID)*time.Second, a.leave) // one after the other
				}
			}
		}
		w.fork()
		w.fork()
		cancel := w.Subscribe(Events{Exit: func(*Worker, Exit) { _, _ = w.Fork(nil) }})
		w.soon("Disconnect", func() {
			if err := w.Disconnect(context.Background()); err != nil {
				t.Error(err)
			}
		})
		check(t, "successors", len(w.Workers()), 2)
		cancel()
		w.soon("Disconnect", func() { _ = w.Disconnect(context.Background()) })
		check(t, "workers left", len(w.Workers()), 0)
	})
}
