package sockets

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// askOwn asks for a socket of this process. The answer is there when d has run.
func (d *testServer) askOwn(address string, follows bool) (answer *Own, cancel func()) {
	answer = &Own{}
	cancel = d.Own(d.t.Context(), bind.NewRequest("tcp", address, false, bind.Options{}), follows, func(o Own) { *answer = o })
	return answer, cancel
}

func (o *Own) mustListen(t *testing.T) net.Listener {
	t.Helper()
	if o.Listener == nil || o.Err != nil {
		t.Fatalf("the answer is %v", *o)
	}
	t.Cleanup(func() { o.Listener.Close() })
	return o.Listener
}

// dialTo connects to ln, which accepts it if it accepts at all.
func dialTo(t *testing.T, ln net.Listener) {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
}

// accepted reports whether ln accepts a connection that waits.
func accepted(t *testing.T, ln net.Listener, within time.Duration) bool {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Accept: %v", err)
		}
		return err == nil
	case <-time.After(within):
		return false
	}
}

// A holder and this process never share a socket, and the end of all holders' sockets leaves
// this process its own.
func TestOwnIsNotShared(t *testing.T) {
	d := newTestServer(t)
	d.ask(1, 1, ":80", nil)
	mine, _ := d.askOwn(":80", false)
	d.want("1.1: socket 1")
	ln := mine.mustListen(t)
	if len(d.bound) != 2 || len(d.byID) != 2 {
		t.Errorf("bound %v, want two sockets", d.bound)
	}
	again, _ := d.askOwn(":80", false)
	d.refuse = func(Request) error { return syscall.EADDRINUSE }
	if d.run(); !errors.Is(again.Err, syscall.EADDRINUSE) {
		t.Errorf("the second listener of one address: %v", *again)
	}
	d.CloseUnused(func(id int) bool { return id == Master })
	d.RefuseClients()
	d.CloseAll()
	if len(d.byID) != 1 {
		t.Errorf("%d sockets are left, want this process's own", len(d.byID))
	}
	dialTo(t, ln)
	if !accepted(t, ln, 10*time.Second) {
		t.Error("it doesn't accept")
	}
	d.Close()
	if len(d.byID) != 0 {
		t.Error("the end of the table leaves a socket open")
	}
}

// Two listeners on port 0 are two sockets.
func TestOwnPortZero(t *testing.T) {
	d := newTestServer(t)
	one, _ := d.askOwn("127.0.0.1:0", false)
	two, _ := d.askOwn("127.0.0.1:0", false)
	d.run()
	if a, b := one.mustListen(t).Addr().String(), two.mustListen(t).Addr().String(); a == b {
		t.Errorf("both listen on %s", a)
	}
}

// A successor gets the socket of its predecessor when that has told it, and accepts when it has
// taken over; the predecessor's Accept fails then.
func TestOwnGoesToTheSuccessor(t *testing.T) {
	old, next := newTestServer(t), newTestServer(t)
	was, _ := old.askOwn(":80", false)
	old.run()
	before := was.mustListen(t)

	is, _ := next.askOwn(":80", true)
	if next.run(); is.Listener != nil || len(next.bound) > 0 {
		t.Fatal("it has not waited for the predecessor's socket")
	}
	handOver(t, old, next)
	next.BeginOwn()
	next.run()
	now := is.mustListen(t)
	if len(next.bound) > 0 || now.Addr().String() != before.Addr().String() {
		t.Fatalf("bound %v, listens on %s; the predecessor on %s", next.bound, now.Addr(), before.Addr())
	}
	dialTo(t, now)
	accepts := make(chan bool)
	go func() { accepts <- accepted(t, now, 10*time.Second) }()
	select {
	case <-accepts:
		t.Error("it accepts before it has taken over")
	case <-time.After(10 * time.Millisecond):
	}
	oldAccepts := make(chan error)
	go func() { // the client above may be accepted here
		for {
			c, err := before.Accept()
			if err != nil {
				oldAccepts <- err
				return
			}
			c.Close()
		}
	}()
	time.Sleep(10 * time.Millisecond) // Accept blocks now
	old.RetireOwn()
	next.ServeOwn()
	select {
	case err := <-oldAccepts:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept of the predecessor: %v, want net.ErrClosed", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the predecessor accepts on")
	}
	dialTo(t, now)
	if !<-accepts {
		t.Error("it doesn't accept")
	}
}

// AwaitOwn waits for connections that were accepted before the successor took over, and for no call
// of Accept.
func TestAwaitOwn(t *testing.T) {
	s := newTestServer(t)
	own, _ := s.askOwn(":80", false)
	s.run()
	ln := own.mustListen(t)
	dialTo(t, ln)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = ln.Accept() }()
	time.Sleep(10 * time.Millisecond) // Accept blocks now
	s.RetireOwn()
	waited := make(chan bool)
	go func() { s.AwaitOwn(time.Minute); close(waited) }()
	select {
	case <-waited:
		t.Error("it hasn't waited for the connection")
	case <-time.After(10 * time.Millisecond):
	}
	c.Close()
	c.Close()
	select {
	case <-waited:
	case <-time.After(10 * time.Second):
		t.Error("it waits on")
	}
	s.AwaitOwn(time.Minute)
}

// handOver sends the open sockets of a table to its successor.
func handOver(t *testing.T, from, to *testServer) {
	t.Helper()
	for _, e := range from.byID {
		fd, err := e.fd.Dup()
		if err == nil {
			err = to.Restore(payload(e.snapshot()), []*descriptor.FD{fd}, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A successor that gives up before it has taken over, and closes its listener, doesn't wait.
func TestOwnClosedBeforeTakeover(t *testing.T) {
	d := newTestServer(t)
	o, _ := d.askOwn(":80", true)
	d.BeginOwn()
	d.run()
	ln, done := o.mustListen(t), make(chan error)
	go func() { _, err := ln.Accept(); done <- err }()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v, want net.ErrClosed", err)
	}
	for _, f := range d.timers { // Loop.After
		f()
	}
	if d.NextExpiry().IsZero() {
		t.Error("the socket is not going to be closed")
	}
}

// A listener that comes when its caller has gone is closed.
func TestOwnCancelled(t *testing.T) {
	d := newTestServer(t)
	ctx, cancelBind := context.WithCancel(t.Context())
	defer cancelBind()
	answered := false
	cancel := d.Own(ctx, bind.NewRequest("tcp", ":80", false, bind.Options{}), false, func(Own) { answered = true })
	cancel()
	d.run()
	for _, f := range d.timers {
		f()
	}
	if answered || len(d.own.listeners) > 0 || d.NextExpiry().IsZero() {
		t.Errorf("answered: %v, %d listeners are open", answered, len(d.own.listeners))
	}
}
