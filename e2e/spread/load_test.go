//go:build linux

package spread

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

const (
	workers = 4
	loops   = 16
)

// A reload costs no request, one connection a request.
func TestReloads(t *testing.T) {
	each(t, workers, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		l := e2etest.StartLoad(p.Addr(), "/", loops)
		l.AnsweredBy(p, "/", 1)
		for i := range e2etest.Times(200, 5) {
			p.Reload()
			l.AnsweredBy(p, "/", i+2)
		}
		l.MustBeWhole(t)
	})
}

// More and fewer workers cost no request: the queue of a slot that is gone is emptied.
func TestMoreAndFewerWorkers(t *testing.T) {
	each(t, 1, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		l := e2etest.StartLoad(p.Addr(), "/", loops)
		left := 0
		for range e2etest.Times(20, 3) {
			for n := 2; n <= 3; n++ {
				p.Signal(syscall.SIGTTIN)
				p.WaitChildren(n)
				p.WaitLog(e2etest.WorkerReady, left+n)
				l.Goes(t, loops)
			}
			for n := 2; n >= 1; n-- {
				p.Signal(syscall.SIGTTOU)
				left++
				p.WaitLog(e2etest.WorkerLeft, left)
				p.WaitChildren(n)
				l.Goes(t, loops)
			}
		}
		l.MustBeWhole(t)
	})
}

// An upgrade costs no request, and the new master has the queues of the old one.
func TestUpgrades(t *testing.T) {
	each(t, workers, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		l := e2etest.StartLoad(p.Addr(), "/", loops)
		l.AnsweredBy(p, "/", 1)
		for i := range e2etest.Times(10, 2) {
			p.Upgrade()
			l.AnsweredBy(p, "/", i+2)
			p.Reload()
		}
		l.MustBeWhole(t)
	})
}

// A worker that dies costs the requests that it has accepted, and no other: nobody is refused.
func TestCrashes(t *testing.T) {
	each(t, workers, func(t *testing.T, cfg master.Config) {
		cfg.MaxBackoff = 200 * time.Millisecond
		p := e2etest.Start(t, "serve", cfg)
		l := e2etest.StartLoad(p.Addr(), "/", loops)
		kills := e2etest.Times(50, 4)
		for i := range kills {
			p.WaitChildren(workers)
			e2etest.Kill(t, p.Children()[0])
			p.WaitLog(e2etest.WorkerDied, i+1)
			p.WaitLog(e2etest.WorkerReady, workers+i+1)
			l.Goes(t, loops)
		}
		r := l.End()
		t.Log(r)
		if r.Refused > 0 || r.Failed > kills*loops || r.Answered == 0 {
			t.Errorf("%v; the first: %v", r, r.First)
		}
	})
}

// What waits in the queues of workers that die is accepted by the others.
func TestQueueOfACrashedWorker(t *testing.T) {
	each(t, workers, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		all := p.Children()
		for _, pid := range all {
			e2etest.StandStill(t, pid)
		}
		l := e2etest.StartLoad(p.Addr(), "/", 40) // each is in a queue, and none accepted
		defer l.MustBeWhole(t)
		waitQueued(t, p, 40)
		for _, pid := range all[:workers/2] {
			e2etest.Kill(t, pid)
		}
		for _, pid := range all[workers/2:] {
			e2etest.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
		}
		l.Goes(t, 80)
	})
}
