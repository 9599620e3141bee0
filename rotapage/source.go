package rotapage

import (
	"context"
	"errors"
	"time"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/status"
	"github.com/rota-go/rota/worker"
)

// source is what the page shows.
type source interface {
	// status returns what the master knows.
	status(ctx context.Context) (status.Status, error)
	// changed returns a channel that gets a value when something may have changed, or is closed.
	changed(ctx context.Context) <-chan struct{}
	// reload begins a reload; who is the name of the client.
	reload(ctx context.Context, who string) error
	// leaving returns a channel that is closed when this process stops serving; nil: nobody knows.
	leaving() <-chan struct{}
}

// sourceOf returns the source for o: the master, the worker, or nothing.
func sourceOf(o Options) source {
	if o.Master != nil {
		return ofMaster{o.Master}
	}
	return ofWorker{worker.Self()}
}

// ofMaster is a page in the master.
type ofMaster struct{ m *master.Master }

func (o ofMaster) status(ctx context.Context) (status.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s := o.m.Count(ctx); s.PID > 0 {
		return s, nil
	}
	return status.Status{}, master.ErrClosed
}

func (o ofMaster) changed(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	go func() {
		defer close(c)
		for range o.m.Watch(ctx) {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}()
	return c
}

// reload waits a moment for a refusal.
func (o ofMaster) reload(ctx context.Context, who string) error {
	result := make(chan error, 1)
	go func() { result <- o.m.Reload(status.By(context.WithoutCancel(ctx), who)) }()
	select {
	case err := <-result:
		if errors.Is(err, master.ErrNotRunning) || errors.Is(err, master.ErrStopping) || errors.Is(err, master.ErrClosed) {
			return err
		}
	case <-time.After(50 * time.Millisecond):
	}
	return nil // the page shows how it goes on
}

func (o ofMaster) leaving() <-chan struct{} { return nil }

// ofWorker is a page in a worker, or in a process without a master.
type ofWorker struct{ w *worker.Worker }

func (o ofWorker) status(ctx context.Context) (status.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return o.w.Status(ctx)
}

func (o ofWorker) changed(context.Context) <-chan struct{} { return nil }

func (o ofWorker) reload(ctx context.Context, _ string) error {
	s, err := o.status(ctx)
	if err != nil {
		return err
	}
	return hangUp(s.PID)
}

func (o ofWorker) leaving() <-chan struct{} { return o.w.Disconnecting() }
