package rotahttp

import (
	"net"
	"net/http"
	"testing"
	"time"
)

// noting is a conn that keeps its state itself, as rota's do. It counts its closes.
type noting struct {
	net.Conn
	note   any
	closed int
}

func (c *noting) SetNote(note any) { c.note = note }
func (c *noting) Note() any        { return c.note }
func (c *noting) CloseRead() error { c.closed++; return nil }

// other is a conn of another kind.
type other struct {
	net.Conn
	closed int
}

func (c *other) CloseRead() error { c.closed++; return nil }

// Connections that keep their state themselves, and others, are closed when they are idle, and
// not while a request is handled.
func TestStatesOfConns(t *testing.T) {
	conns := http1Conns{changed: make(chan struct{}, 1)}
	ours, theirs := new(noting), new(other)
	all := []net.Conn{ours, theirs}
	for _, c := range all {
		conns.setState(c, http.StateNew)
		conns.setState(c, http.StateActive)
	}
	conns.closeIdle(0)
	if ours.closed+theirs.closed > 0 {
		t.Error("closed while a request is handled")
	}
	for _, c := range all {
		conns.setState(c, http.StateIdle)
	}
	conns.closeIdle(time.Hour)
	conns.closeIdle(0)
	if ours.closed != 1 || theirs.closed != 1 {
		t.Errorf("the idle connections are closed %d and %d times, want once", ours.closed, theirs.closed)
	}
	for _, c := range all {
		conns.setState(c, http.StateClosed)
	}
	if n := conns.n.Load(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// Rota's conns are found without a map.
func BenchmarkSetState(b *testing.B) {
	for name, c := range map[string]net.Conn{"rota": new(noting), "other": new(other)} {
		b.Run(name, func(b *testing.B) {
			conns := http1Conns{changed: make(chan struct{}, 1)}
			for range 1000 { // as many as a server may have
				conns.setState(new(other), http.StateNew)
			}
			conns.setState(c, http.StateNew)
			b.ReportAllocs()
			for b.Loop() {
				conns.setState(c, http.StateActive)
				conns.setState(c, http.StateIdle)
			}
		})
	}
}
