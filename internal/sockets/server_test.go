package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// testServer is a Server without a master. Its loop is the test: run calls what Work was
// given.
type testServer struct {
	*Server
	t       *testing.T
	work    []func() func()
	timers  []func()
	last    time.Duration // of After
	gone    map[int]bool  // holders that can't be answered
	answers []string
	denied  []string

	generation map[int]int         // by holder
	bound      []string            // every address that was bound, in order
	fail       error               // of the next bind
	refuse     func(Request) error // may fail a bind
}

func newTestServer(t *testing.T) *testServer {
	d := &testServer{t: t, gone: map[int]bool{}}
	d.Server = &Server{Table: New(2), Owner: d, Open: d.open, Loop: Loop{
		Work: func(f func() func()) { d.work = append(d.work, f) },
		After: func(after time.Duration, f func()) func() {
			d.last, d.timers = after, append(d.timers, f)
			return func() {}
		},
	}}
	t.Cleanup(d.Close)
	return d
}

// open opens a real socket for every address: Server duplicates the descriptor.
func (d *testServer) open(ctx context.Context, r Request) (Opened, error) {
	d.bound = append(d.bound, r.Address)
	if err := d.fail; err != nil {
		d.fail = nil
		return Opened{}, err
	}
	if d.refuse != nil {
		if err := d.refuse(r); err != nil {
			return Opened{}, err
		}
	}
	r.Network, r.Address, r.Packet = "tcp", "127.0.0.1:0", false
	return Open(ctx, r)
}

func (d *testServer) Connected(holder int) bool { return !d.gone[holder] }

func (d *testServer) Send(c Caller, s *Socket, fd *descriptor.FD) {
	if fd.Int() < 0 || fd.Int() == s.FD.Int() {
		d.t.Errorf("descriptor %d of socket %d, want a duplicate of %d", fd.Int(), s.ID, s.FD.Int())
	}
	_ = fd.Close()
	d.answers = append(d.answers, fmt.Sprintf("%d.%d: socket %d", c.Holder, c.Call, s.ID))
}

func (d *testServer) CanHelp(int, bool) bool           { return false }
func (d *testServer) Count() bool                      { return false }
func (d *testServer) Connections(int) (int, int, bool) { return 0, 0, false }
func (d *testServer) StandBy(int, int, time.Duration)  {}

func (d *testServer) Help(int, int, ...*descriptor.FD) { d.t.Error("nobody can help") }

func (d *testServer) Denied(_ Caller, name string) { d.denied = append(d.denied, name) }

func (d *testServer) Refuse(c Caller, err error) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" {
		d.t.Errorf("refused with %v, want an error as net.Listen returns it", err)
	}
	d.answers = append(d.answers, fmt.Sprintf("%d.%d: %v", c.Holder, c.Call, errors.Unwrap(err)))
}

func (d *testServer) ask(holder, call int, address string, allow func() error) {
	terms := Terms{Generation: d.generation[holder]}
	if allow != nil {
		terms.Allow = func(bind.Request) error { return allow() }
	}
	d.Ask(d.t.Context(), Caller{holder, uint32(call)}, bind.Request{Network: "tcp", Address: address}, terms)
}

// run runs the work that has come up, until there is no more.
func (d *testServer) run() {
	for len(d.work) > 0 {
		f := d.work[0]
		d.work = d.work[1:]
		f()()
	}
}

// want checks the answers since the last call, after all work is done.
func (d *testServer) want(want ...string) {
	d.t.Helper()
	d.run()
	if !slices.Equal(d.answers, want) {
		d.t.Errorf("answers %q, want %q", d.answers, want)
	}
	d.answers = nil
}

// Calls for one address wait for one bind.
func TestServerAnswers(t *testing.T) {
	d := newTestServer(t)
	d.ask(1, 1, ":80", nil)
	d.ask(2, 1, ":80", nil)
	d.want("1.1: socket 1", "2.1: socket 1")
	d.ask(3, 1, ":80", nil)
	d.want("3.1: socket 1")
	if want := []string{":80"}; !slices.Equal(d.bound, want) {
		t.Errorf("bound %v, want %v", d.bound, want)
	}
}

// A failed bind is not recorded: its calls are refused, and the next call binds again.
func TestServerBindFails(t *testing.T) {
	d := newTestServer(t)
	d.fail = syscall.EACCES
	d.ask(1, 1, ":80", nil)
	d.want("1.1: permission denied")
	d.ask(1, 2, ":80", nil)
	d.want("1.2: socket 2")
}

// A socket that lingers is closed at once if it is in the way of a bind. One that a holder
// holds stays open, and so does another that lingers.
func TestServerReplacesLingeringSocket(t *testing.T) {
	for _, closed := range []bool{false, true} {
		d := newTestServer(t)
		d.ask(1, 1, ":80", nil)
		d.ask(1, 2, ":81", nil)
		d.want("1.1: socket 1", "1.2: socket 2")
		if closed {
			d.Server.Closed(1, 1)
			d.Server.Closed(1, 2)
		}
		addr := d.addr(1)
		d.refuse = func(r Request) error { return d.inUse(r, addr) }
		d.ask(1, 3, "localhost:80", nil)
		if !closed {
			d.want("1.3: address already in use")
			continue
		}
		d.want("1.3: socket 3")
		d.refuse = nil
		d.ask(1, 4, ":81", nil)
		d.want("1.4: socket 2")
	}
}

// addr returns the address of socket id; nil if it is not open.
func (d *testServer) addr(id int) net.Addr {
	for s := range d.Sockets() {
		if s.ID == id {
			return s.Addr
		}
	}
	return nil
}

// inUse refuses a request while the table has a socket with that address.
func (d *testServer) inUse(r Request, addr net.Addr) error {
	for s := range d.Sockets() {
		if s.Addr.String() == addr.String() {
			return &net.OpError{Op: "listen", Net: r.Network, Addr: addr, Err: syscall.EADDRINUSE}
		}
	}
	return nil
}

// A holder that asks for a socket that it holds gets the error of a second bind, and
// EADDRINUSE if that succeeds.
func TestServerRejectsDuplicate(t *testing.T) {
	d := newTestServer(t)
	d.ask(1, 1, ":80", nil)
	d.want("1.1: socket 1")
	d.fail = syscall.EPERM
	d.ask(1, 2, ":80", nil)
	d.want("1.2: operation not permitted")
	d.ask(1, 3, ":80", nil)
	d.want("1.3: bind: address already in use")
	d.Server.Closed(1, 1)
	d.ask(1, 4, ":80", nil)
	d.want("1.4: socket 1")
}

// The function allow is called on a goroutine of Work. Its error refuses the socket.
func TestServerAllow(t *testing.T) {
	d := newTestServer(t)
	called := 0
	d.ask(1, 1, ":80", func() error { called++; return syscall.EPERM })
	if called > 0 {
		t.Error("allow was called on the loop")
	}
	d.want("1.1: operation not permitted")
	d.ask(1, 2, ":81", func() error { called++; return nil })
	d.want("1.2: socket 1")
	if want := []string{":81"}; called != 2 || !slices.Equal(d.bound, want) {
		t.Errorf("allow was called %d times, want 2; bound %v, want %v", called, d.bound, want)
	}
}

// A holder that is gone before allow returns gets no socket. One that is gone before the
// bind has ended gets no answer.
func TestServerHolderIsGone(t *testing.T) {
	d := newTestServer(t)
	d.ask(1, 1, ":80", func() error { return nil })
	d.ask(2, 1, ":81", nil)
	d.gone[1], d.gone[2] = true, true
	d.want()
	if want := []string{":81"}; !slices.Equal(d.bound, want) {
		t.Errorf("bound %v, want %v", d.bound, want)
	}
}

// A holder of MaxHeld sockets is refused another, and allow is not asked.
func TestServerHolderIsFull(t *testing.T) {
	d := newTestServer(t)
	for i := range MaxHeld {
		d.Table.Ask(Caller{1, 1}, bind.Request{Network: "tcp", Address: fmt.Sprint(":", i)}, nil)
	}
	d.ask(1, 2, ":http", func() error { t.Error("allow was called"); return nil })
	d.want("1.2: socket: too many open files")
}

// A socket whose descriptor can't be duplicated is refused, and closed after Linger.
func TestServerCannotDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestServer(t)
		d.Open = func(context.Context, Request) (Opened, error) { return opened(80), nil } // no descriptor
		d.ask(1, 1, ":80", nil)
		d.run()
		if len(d.answers) != 1 || len(d.timers) != 1 {
			t.Fatalf("answers %q and %d timers, want one of each", d.answers, len(d.timers))
		}
		time.Sleep(d.last)
		d.timers[0]()
		if _, open := d.Name(1); open {
			t.Error("the socket is still open")
		}
	})
}

// One timer runs while sockets linger. It is set again for those that linger longer.
func TestServerClosesExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestServer(t)
		d.ask(1, 1, ":80", nil)
		d.ask(1, 2, ":81", nil)
		d.run()
		d.Server.Closed(1, 1)
		time.Sleep(Linger / 4)
		d.Server.Closed(1, 2)
		if len(d.timers) != 1 || d.last != Linger {
			t.Fatalf("%d timers, the last of %v, want one of %v", len(d.timers), d.last, Linger)
		}
		time.Sleep(Linger * 3 / 4)
		d.timers[0]()
		if len(d.timers) != 2 || d.last != Linger/4 {
			t.Fatalf("%d timers, the last of %v, want a second of %v", len(d.timers), d.last, Linger/4)
		}
		time.Sleep(Linger / 4)
		d.timers[1]()
		if _, open := d.Name(2); open || len(d.timers) != 2 {
			t.Errorf("socket 2 is open: %v, timers: %d, want it closed and no third timer", open, len(d.timers))
		}
	})
}
