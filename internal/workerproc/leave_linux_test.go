//go:build linux

package workerproc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
)

// A worker whose connections have moved stays for a moment.
func TestLeavingKeepsOutOfTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(link.Identity{ID: 1}, newFakeLink())
		w.drain.addHook(func(context.Context) error { w.Moved.Add(1); return nil }, nil)
		began := time.Now()
		w.startDrain()
		<-w.Done()
		if d := time.Since(began); d != lingers {
			t.Errorf("it leaves after %v", d)
		}
	})
}

// A worker of which nothing has moved leaves at once.
func TestNothingMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(link.Identity{ID: 1}, newFakeLink())
		began := time.Now()
		w.startDrain()
		<-w.Done()
		if d := time.Since(began); d > 0 {
			t.Errorf("it leaves after %v", d)
		}
	})
}

// A worker that has moved its connections stays no longer than its grace.
func TestLingersWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(link.Identity{ID: 1}, newFakeLink())
		w.drain.addHook(func(context.Context) error { w.Moved.Add(1); time.Sleep(lingers); return nil }, nil)
		w.drain.grace.Set(lingers + lingers/2)
		began := time.Now()
		w.startDrain()
		<-w.Done()
		if d := time.Since(began); d != lingers+lingers/2 {
			t.Errorf("it leaves after %v", d)
		}
	})
}
