//go:build linux

package cluster

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// cluster is a master whose workers are one of the helpers.
type cluster struct {
	*master.Master
	t   testing.TB
	log *e2etest.Output
}

// newCluster returns a master of the test's own process. The end of the test closes it.
func newCluster(t testing.TB, helper string, change ...func(*master.Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, log: &e2etest.Output{}}
	cfg := master.Config{
		Exec: e2etest.Self(t), Args: []string{},
		Env:    func() []string { return append(os.Environ(), e2etest.HelperEnv+"="+helper) },
		Logger: slog.New(slog.NewTextHandler(c.log, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	m, err := master.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Master = m
	t.Cleanup(func() {
		_ = m.Close()
		if t.Failed() {
			t.Logf("log of the master:\n%s", c.log)
		}
	})
	return c
}

// fork starts a worker.
func (c *cluster) fork(env map[string]string) *master.Worker {
	c.t.Helper()
	w, err := c.Fork(env)
	if err != nil {
		c.t.Fatal(err)
	}
	return w
}

// disconnect disconnects all workers.
func (c *cluster) disconnect() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	if err := c.Disconnect(ctx); err != nil {
		c.t.Fatal(err)
	}
}

// gone waits until a worker has ended.
func gone(t testing.TB, w *master.Worker) {
	t.Helper()
	e2etest.Await(t, "the worker to end", w.Exited())
}

// readAll reads r to its end in the background, and sends what it has read.
func readAll(t testing.TB, r io.Reader) <-chan string {
	c := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r)
		c <- string(b)
	}()
	return c
}

// eventLog collects events as text.
type eventLog struct {
	mu   sync.Mutex
	list []string
}

func (l *eventLog) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

func (l *eventLog) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list...)
}
