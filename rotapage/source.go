package rotapage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
	"github.com/rota-go/rota/worker"
)

// source is what the page shows.
type source interface {
	// status returns what the master knows.
	status(ctx context.Context) (status.Status, error)
	// changed returns a channel that gets a value when something may have changed, or is closed.
	changed(ctx context.Context) <-chan struct{}
	// press does what a button says, or begins it; who is the name of the client.
	press(ctx context.Context, button control.Do, who string) error
	// leaving returns a channel that is closed when this process stops serving; nil: nobody knows.
	leaving() <-chan struct{}
}

// sourceOf returns the source for o: the master, the worker, or nothing.
func sourceOf(o Options) source {
	if o.Master != nil {
		return newOfMaster(o.Master, o.Master.Count)
	}
	return ofWorker{worker.Self()}
}

// ofMaster is a page in the master.
type ofMaster struct {
	m      *master.Master
	recent *newest.Source[status.Status] // shared by all readers: the workers are asked as often for many as for few
}

func newOfMaster(m *master.Master, count func(context.Context) status.Status) ofMaster {
	return ofMaster{m, &newest.Source[status.Status]{Get: func() (status.Status, bool) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s := count(ctx)
		return s, s.PID > 0
	}}}
}

func (o ofMaster) status(context.Context) (status.Status, error) {
	if s, ok := o.recent.Now(); ok {
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

func (o ofMaster) press(ctx context.Context, button control.Do, who string) error {
	change := map[control.Do]func(context.Context) error{
		control.Reload: o.m.Reload, control.Rollback: o.m.Rollback, control.Pause: o.m.Pause, control.Resume: o.m.Resume,
		control.Promote: o.m.Promote, control.Abort: o.m.Abort,
	}[button]
	return begin(ctx, who, change)
}

// begin calls change, and waits a moment for a refusal.
func begin(ctx context.Context, who string, change func(context.Context) error) error {
	result := make(chan error, 1)
	go func() { result <- change(status.By(context.WithoutCancel(ctx), who)) }()
	select {
	case err := <-result:
		if failed := (*reload.Error)(nil); !errors.As(err, &failed) {
			return err // it was refused, or is done
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

// press asks the control socket, but for a reload, which needs none: it is a signal.
func (o ofWorker) press(ctx context.Context, button control.Do, _ string) error {
	s, err := o.status(ctx)
	if err != nil {
		return err
	}
	if button == control.Reload {
		return hangUp(s.PID)
	}
	path, err := controlclient.Find("", s.PID, os.Getenv)
	if err != nil {
		return fmt.Errorf("%s by a worker's page: %w", button, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := controlclient.Do(ctx, path, control.Request{Do: button, NoWait: true}, nil)
	if err == nil && r.Code != control.Done {
		err = errors.New(r.Error)
	}
	return err
}

func (o ofWorker) leaving() <-chan struct{} { return o.w.Disconnecting() }
