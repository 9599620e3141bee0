package sockets

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// following returns the server of a new master whose old one has just bound the address that
// a worker asks for.
func following(t *testing.T) *testServer {
	d := newTestServer(t)
	d.Succeed()
	d.refuse = func(Request) error { return syscall.EADDRINUSE }
	d.ask(1, 1, ":80", nil)
	d.step()
	d.step()
	if len(d.answers) > 0 || len(d.work) != 1 {
		t.Fatalf("answers %q, %d binds", d.answers, len(d.work))
	}
	return d
}

// step runs the work that came up first.
func (d *testServer) step() {
	f := d.work[0]
	d.work = d.work[1:]
	f()()
}

// restore sends the old master's socket, and returns its descriptor.
func (d *testServer) restore() *descriptor.FD {
	d.t.Helper()
	o, err := Open(d.t.Context(), Request{Request: bind.Request{Network: "tcp", Address: "127.0.0.1:0"}})
	if err == nil {
		s := payload(snapshot{Network: "tcp", Address: ":80", Name: o.Addr.String(), NameNet: "tcp"})
		err = d.Restore(s, []*descriptor.FD{o.FD}, true)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return o.FD
}

// An address that the old master has bound meanwhile is waited for, and its socket used.
func TestServerWaitsForPredecessor(t *testing.T) {
	d := following(t)
	fd, second := d.restore(), d.restore()
	d.want("1.1: socket 1")
	if e := d.byID[1]; e.fd != fd || e.late || second.Int() >= 0 {
		t.Errorf("the socket is not the old master's, or there are two: %+v", e)
	}
	d.ask(2, 1, ":80", nil)
	d.want("2.1: socket 1")
	d.CloseAll()
	if fd.Int() >= 0 {
		t.Error("the descriptor is open")
	}
}

// One that this master has bound itself stays its own.
func TestServerBindsBeforePredecessor(t *testing.T) {
	d := following(t)
	fd := d.restore()
	d.refuse = nil
	d.want("1.1: socket 1")
	if e := d.byID[1]; e.fd == fd || fd.Int() >= 0 {
		t.Errorf("the socket is the old master's, or that is open: %+v", e)
	}
}

// An address that a new master has bound meanwhile is asked for, and its socket used, unless it has
// a file. Of the new master's sockets nothing else is taken.
func TestServerWaitsForSuccessor(t *testing.T) {
	d := newTestServer(t)
	asked := 0
	d.OnMissing(func() { asked++ })
	unasked := d.restore()
	d.refuse = func(Request) error { return syscall.EADDRINUSE }
	d.ask(1, 1, ":80", nil)
	d.step()
	d.step()
	if len(d.answers) > 0 || asked != 2 || unasked.Int() >= 0 {
		t.Fatalf("answers %q, asked %d times, want 2; the first descriptor is %d", d.answers, asked, unasked.Int())
	}
	d.restore()
	d.want("1.1: socket 1")
	d.ask(2, 1, ":81", nil)
	d.OnMissing(nil)
	d.want("2.1: address already in use")
}

// It isn't waited for when the old master is gone, or for long, and what has come for a bind
// that fails in another way is used.
func TestServerDoesNotWaitForNothing(t *testing.T) {
	d := following(t)
	d.NoneComes()
	d.step()
	if len(d.work) > 0 {
		t.Error("a socket of a master that is gone is waited for")
	}
	d.want("1.1: address already in use")
	d = following(t)
	d.byKey[Key{Network: "tcp", Address: ":80"}].waiting[0].Call = 7
	begin := time.Now()
	d.want("1.7: address already in use")
	if took := time.Since(begin); took < comesWithin-time.Second || took > comesWithin+5*time.Second {
		t.Errorf("refused after %v, want %v", took, comesWithin)
	}
	d = following(t)
	d.restore()
	d.refuse = func(Request) error { return syscall.EACCES }
	d.want("1.1: socket 1")
}
