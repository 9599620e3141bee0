package controlserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// client is one client, on its own goroutine.
type client struct {
	*acceptor
	conn *net.UnixConn
	ctx  context.Context // says who the client is; it never ends
}

// serve reads the request and answers it. An error of writing means that the client has gone,
// or doesn't read.
func (c *client) serve() {
	_ = c.conn.SetReadDeadline(time.Now().Add(readTimeout))
	line, err := bufio.NewReaderSize(io.LimitReader(c.conn, control.MaxRequest+1), 512).ReadBytes('\n')
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) { // it has sent nothing, or not in time
		c.pace.count(time.Now(), garbage)
		return
	}
	var r control.Request
	c.alone(func() { r, err = control.Parse(line) })
	if err != nil {
		c.pace.count(time.Now(), garbage)
		_ = c.end(err, control.Invalid)
		return
	}
	_ = c.answer(r)
}

// answer answers a request.
func (c *client) answer(r control.Request) error {
	switch r.Do {
	case control.Status:
		return c.status()
	case control.Watch:
		return c.watch()
	case control.Scale:
		return c.end(c.master.ScaleContext(c.ctx, r.Workers), control.Failed)
	case control.Promote:
		return c.end(c.master.Promote(c.ctx), control.Failed)
	case control.Abort:
		return c.end(c.master.Abort(c.ctx), control.Failed)
	case control.Pause:
		return c.end(c.master.Pause(c.ctx), control.Failed)
	case control.Resume:
		return c.end(c.master.Resume(c.ctx), control.Failed)
	case control.Drain, control.Undrain:
		return c.end(c.master.SetDrained(c.ctx, r.Do == control.Drain), control.Failed)
	case control.Restart:
		return c.restart(r)
	}
	call := map[control.Do]func(context.Context) error{
		control.Reload: c.reload(r), control.Rollback: c.master.Rollback, control.Upgrade: c.master.Upgrade, control.Stop: c.stop,
	}[r.Do]
	if r.NoWait {
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		err := call(ctx)
		if errors.Is(err, context.Canceled) { // it has begun, or waits for its turn
			err = nil
		}
		return c.end(err, control.Failed)
	}
	return c.follow(r.Do, call)
}

// reload returns the call that a request for a reload means.
func (c *client) reload(r control.Request) func(context.Context) error {
	if r.Canary == 0 {
		return c.master.Reload
	}
	return func(ctx context.Context) error { return c.master.ReloadCanary(ctx, r.Canary, time.Duration(r.For)) }
}

// stop is the next step of a stop, as SIGTERM, and returns when Run has ended. The master waits for this client before it ends.
func (c *client) stop(ctx context.Context) error {
	if err := c.master.Stop(); err != nil {
		return err
	}
	select {
	case <-c.acceptor.ctx.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitMove waits after an upgrade, so that the next client meets the new master, if that has a control socket at the same
// path. A master that ends has little time.
func (c *client) awaitMove() {
	tick := time.NewTicker(moveTimeout / 200)
	defer tick.Stop()
	ends, limit := c.acceptor.ctx.Done(), time.After(moveTimeout)
	for !c.isReplaced() {
		select {
		case <-tick.C:
		case <-ends:
			ends, limit = nil, time.After(endTimeout)
		case <-limit:
			return
		}
	}
}

// status sends the status.
func (c *client) status() error {
	if s, ok := c.recent.Now(); ok {
		if err := c.write(c.line(s)); err != nil {
			return err
		}
	}
	return c.end(nil, control.Done)
}

// line returns the line of a status.
func (c *client) line(s status.Status) (line []byte) {
	c.alone(func() { line = c.lines.of(s) })
	return line
}

// watch sends every status until the client or the master has gone.
func (c *client) watch() error {
	return c.each(nil, func(s status.Status) error { return c.write(c.line(s)) })
}

// follow makes a change and reports its progress and its result. If the client goes, the change
// goes on.
func (c *client) follow(do control.Do, call func(context.Context) error) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	var t control.Tracker
	if s, ok := <-c.master.Watch(ctx); ok { // of before, however soon the change is over
		t.Next(s)
	}
	result := make(chan error, 1)
	go func() { result <- call(ctx) }()
	err := c.each(result, func(s status.Status) (err error) {
		var next []control.Progress
		c.alone(func() { next = t.Next(s) })
		return c.progress(next)
	})
	if errors.Is(err, errMasterEnds) {
		err = c.lastResult(result)
	}
	if end := (ended{}); errors.As(err, &end) {
		if do == control.Upgrade && end.err == nil {
			c.awaitMove()
		}
		if s, ok := <-c.master.Watch(ctx); ok {
			_ = c.progress(t.Next(s)) // an error: so does the next line
		}
		return c.end(end.err, control.Failed)
	}
	return err
}

func (c *client) progress(all []control.Progress) error {
	for i := range all {
		if err := c.send(control.Reply{Progress: &all[i]}); err != nil {
			return err
		}
	}
	return nil
}

// errMasterEnds is why each returns when the master ends.
var errMasterEnds = errors.New("the master ends")

// lastResult waits for the result of a change when the master ends.
func (c *client) lastResult(result <-chan error) error {
	select {
	case err := <-result:
		return ended{err}
	case <-time.After(endTimeout):
		return errMasterEnds
	}
}

// ended is why each returns when the result has come.
type ended struct{ err error }

func (ended) Error() string { return "ended" }

// each calls f with every status until f fails or a result comes, which may be nil: never. A
// client that has gone is noticed by a line that can't be written.
func (c *client) each(result <-chan error, f func(status.Status) error) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	statuses := c.master.Watch(ctx)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		var err error
		select {
		case err := <-result:
			return ended{err}
		case s, ok := <-statuses:
			if !ok {
				return errMasterEnds
			}
			err = f(s)
		case <-c.acceptor.ctx.Done():
			return errMasterEnds
		case <-tick.C:
			err = c.write([]byte("\n"))
		}
		if err != nil {
			return err
		}
	}
}

// restart replaces one worker. What other slots do meanwhile, such as crash again and again, doesn't matter.
func (c *client) restart(r control.Request) error {
	id, slot, err := c.worker(r)
	if err == nil {
		err = c.master.Restart(c.ctx, id)
	}
	if err != nil || r.NoWait {
		return c.end(err, control.Failed)
	}
	errReplaced := errors.New("replaced")
	err = c.each(nil, func(s status.Status) error {
		if isReplaced(s, id, slot) {
			return errReplaced
		}
		return nil
	})
	if errors.Is(err, errReplaced) {
		return c.end(nil, control.Done)
	}
	return err
}

// worker returns the worker that a restart is about, and its slot: the newest that serves in the slot, unless the request has an id.
func (c *client) worker(r control.Request) (id, slot int, err error) {
	s, _ := c.recent.Now()
	for _, workers := range s.Slots() {
		for _, w := range workers {
			if w.IsServing() && (w.ID == r.Worker || r.Worker == 0 && w.Slot == r.Slot) {
				id, slot = w.ID, w.Slot
			}
		}
	}
	switch {
	case id != 0:
	case r.Worker != 0: // the master says why it can't be
		id = r.Worker
	default:
		err = fmt.Errorf("restart slot %d: no worker serves in it", r.Slot)
	}
	return id, slot, err
}

// isReplaced reports whether a worker doesn't serve any more, and another one serves its slot, if that is still there.
func isReplaced(s status.Status, id, slot int) bool {
	slots := s.Slots()
	if slot >= len(slots) {
		return true
	}
	served := false
	for _, w := range slots[slot] {
		if w.IsServing() && w.ID == id {
			return false
		}
		served = served || w.IsServing()
	}
	return served
}

// end sends the result.
func (c *client) end(err error, code control.Code) error {
	r := control.Result{Code: control.Done}
	if err != nil {
		r.Code, r.Error = code, err.Error()
	}
	if errors.Is(err, reload.ErrLeft) {
		r.Code = control.Left
	}
	if failed := (*reload.Error)(nil); errors.As(err, &failed) {
		short := *failed
		short.Stderr = ""
		r.Error, r.Stderr = short.Error(), failed.Stderr
	}
	return c.send(control.Reply{Result: &r})
}

func (c *client) send(r control.Reply) error { return c.write(control.Encode(r)) }

func (c *client) write(line []byte) error {
	within := writeTimeout
	if c.acceptor.ctx.Err() != nil {
		within = endTimeout
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(within))
	_, err := c.conn.Write(line)
	return err
}
