package rota

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// conductor turns signals into calls on the master that Listen has started.
type conductor struct {
	m    *master.Master
	log  *slog.Logger
	stop context.CancelFunc // graceful
	ints atomic.Int32

	mu   sync.Mutex
	late map[int][]os.Signal // by worker id: to be passed on when it is online
}

// conduct runs the master, obeys the signals of the table, and returns the
// process's exit status when all is over. The handlers are there before the first
// fork: a signal that comes earlier would end the process.
func conduct(m *master.Master, cfg master.Config) (status int) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c := &conductor{m: m, log: logger(cfg), stop: stop, late: map[int][]os.Signal{}}
	defer m.Subscribe(master.Events{Online: c.online, Exit: c.exited})()
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, masterSignals()...)
	go c.obey(signals)
	err := m.Run(ctx)
	if err != nil {
		c.log.Error("rota: master ends", "err", err)
	}
	_ = m.Close()
	if c.ints.Load() > 1 {
		return 130 // what a shell says of a Ctrl-C
	}
	return statusOf(err)
}

func (c *conductor) obey(signals <-chan os.Signal) {
	for s := range signals {
		if act := table[s]; act != nil {
			act(c)
		}
	}
}

func (c *conductor) reload() {
	go func() { _ = c.m.Reload(context.Background()) }() // the master logs how it went
}

func (c *conductor) upgrade() {
	go func() {
		err := c.m.Upgrade(context.Background())
		var failed *master.UpgradeError // logged by the master
		if err != nil && !errors.As(err, &failed) {
			c.log.Error("rota: no upgrade", "err", err)
		}
	}()
}

// interrupt is a Ctrl-C: the first asks, the second insists.
func (c *conductor) interrupt() {
	if c.ints.Add(1) == 1 {
		c.stop()
		return
	}
	_ = c.m.Close()
}

// scale adds n workers.
func (c *conductor) scale(n int) {
	workers := max(c.m.Settings().Workers, 1) + n
	if workers < 1 {
		return
	}
	if err := c.m.Scale(workers); err == nil {
		c.log.Info("rota: scale", "workers", workers)
	}
}

// passOn sends s to every worker. One that has not said hello gets it when it does:
// before Go's runtime has its handlers, the signal would kill it.
func (c *conductor) passOn(s os.Signal) {
	workers := c.m.Workers()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range workers {
		if w.State() != master.Starting {
			send(w, s)
		} else if !slices.Contains(c.late[w.ID()], s) {
			c.late[w.ID()] = append(c.late[w.ID()], s)
		}
	}
}

func (c *conductor) online(w *master.Worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.late[w.ID()] {
		send(w, s)
	}
	delete(c.late, w.ID())
}

func (c *conductor) exited(w *master.Worker, _ master.Exit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.late, w.ID())
}

func send(w *master.Worker, s os.Signal) {
	if p := w.Process(); p != nil {
		_ = p.Signal(s) // one that has just died needs no signal
	}
}

// obey lets a worker leave on SIGTERM, from wherever it comes, until it has left:
// then SIGTERM ends the process again, unless the program has a handler of its own.
// SIGHUP is meant for the master, but "killall -HUP" sends it to everybody.
func obey(w *worker.Worker) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, workerSignals()...)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case s := <-signals:
				if isTerm(s) {
					_ = w.Disconnect() // fails where it has left already
				}
			case <-w.Done():
				return
			}
		}
	}()
}
