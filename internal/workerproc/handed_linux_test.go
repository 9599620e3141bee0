//go:build linux

package workerproc

import (
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// neighbour is one of several workers that have a socket.
type neighbour struct {
	*Worker
	ln net.Listener
}

// newNeighbours returns n workers that have one socket.
func newNeighbours(t *testing.T, n int) (all []neighbour) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for id := range n {
		fd, err := descriptor.DupOf(inner)
		if err != nil {
			t.Fatal(err)
		}
		own, err := fd.ListenerOnly()
		if err != nil {
			t.Fatal(err)
		}
		fd.Close()
		w := newWorker(link.Identity{ID: id + 1}, newFakeLink())
		ln, err := w.trackListener(&listener{Listener: own, id: 1}, bind.Request{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		all = append(all, neighbour{w, ln})
	}
	inner.Close()
	return all
}

// leave makes to the receiver of a worker, which begins to drain.
func (n neighbour) leave(t *testing.T, to neighbour) {
	t.Helper()
	n.pair(t, to)
	n.startDrain()
	<-n.CanHandOver()
}

func (n neighbour) pair(t *testing.T, to neighbour) {
	t.Helper()
	a, b, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	if err := to.receiveConns(link.Packet{Frame: wire.Frame{Type: wire.Receive}, Files: []*descriptor.FD{b}}); err != nil {
		t.Fatal(err)
	}
	if err := n.handOver(link.Packet{Frame: wire.Frame{Type: wire.HandOver}, Files: []*descriptor.FD{a}}); err != nil {
		t.Fatal(err)
	}
}

// conn returns a connection that the worker has accepted, and its client.
func (n neighbour) conn(t *testing.T) (server, client net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", n.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = n.ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server, client
}

// arrived is what OnHandOver has got.
type arrived struct {
	net.Conn
	state string
}

// onHandOver returns a channel of what the worker's program gets.
func (n neighbour) onHandOver() <-chan arrived {
	all := make(chan arrived, 10)
	n.OnHandOver(func(c net.Conn, m ipc.Message) { all <- arrived{c, m.String()} })
	return all
}

// next returns the next that arrives, which must have the state and the client.
func next(t *testing.T, all <-chan arrived, state string, client net.Conn) net.Conn {
	t.Helper()
	select {
	case a := <-all:
		t.Cleanup(func() { a.Close() })
		if a.state != state || a.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("%v with %s, want %v with %s", a.RemoteAddr(), a.state, client.LocalAddr(), state)
		}
		return a.Conn
	case <-time.After(10 * time.Second):
		t.Fatal("no connection arrives")
	}
	return nil
}

// The drain of a worker ends when all is handed over, and that of the receiver waits for what
// has come.
func TestHandOverAndDrain(t *testing.T) {
	all := newNeighbours(t, 2)
	old, successor := all[0], all[1]
	got := successor.onHandOver()
	server, client := old.conn(t)
	old.leave(t, successor)
	if err := old.HandOver(server, map[string]int{"n": 7}); err != nil {
		t.Fatal(err)
	}
	moved := next(t, got, `{"n":7}`, client)
	<-old.Done()
	successor.startDrain()
	select {
	case <-successor.Done():
		t.Fatal("the receiver leaves before its connection")
	case <-time.After(10 * time.Millisecond):
	}
	io.WriteString(moved, "bye")
	moved.Close()
	if b, err := io.ReadAll(client); string(b) != "bye" || err != nil {
		t.Errorf("the client reads %q, %v", b, err)
	}
	<-successor.Done()
}

// What comes before OnHandOver is kept for it.
func TestHandedIsKept(t *testing.T) {
	all := newNeighbours(t, 2)
	server, client := all[0].conn(t)
	all[0].leave(t, all[1])
	if err := all[0].HandOver(server, 1); err != nil {
		t.Fatal(err)
	}
	next(t, all[1].onHandOver(), "1", client)
}

// A worker that leaves before its program has called OnHandOver passes on what it has kept.
func TestHandedIsPassedOn(t *testing.T) {
	all := newNeighbours(t, 3)
	got := all[2].onHandOver()
	server, client := all[0].conn(t)
	all[0].leave(t, all[1])
	if err := all[0].HandOver(server, "hello"); err != nil {
		t.Fatal(err)
	}
	all[1].leave(t, all[2])
	next(t, got, `"hello"`, client)
	<-all[1].Done()
}

// A program that never calls OnHandOver gets no connection: what was kept is closed, and more is
// refused and stays usable.
func TestNobodyAsks(t *testing.T) {
	all := newNeighbours(t, 2)
	kept, keptClient := all[0].conn(t)
	refused, refusedClient := all[0].conn(t)
	all[0].leave(t, all[1])
	if err := all[0].HandOver(kept, 1); err != nil {
		t.Fatal(err)
	}
	all[1].arrival.Record()
	keptClient.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := keptClient.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("the client of a kept connection reads %d, %v", n, err)
	}
	if err := all[0].HandOver(refused, 1); !errors.Is(err, handover.ErrNoReceiver) {
		t.Errorf("afterwards: %v", err)
	}
	io.WriteString(refused, "!")
	if b := make([]byte, 1); !read(refusedClient, b) {
		t.Error("a refused connection is of no use")
	}
}

func read(c net.Conn, b []byte) bool {
	_, err := io.ReadFull(c, b)
	return err == nil
}

// How much is kept is bounded, until the program has called OnHandOver.
func TestHandedBounds(t *testing.T) {
	h := &handed{worker: newWorker(link.Identity{}, newFakeLink())}
	for h.kept.Fits(nil) {
		if !h.accepts([]byte("0")) {
			t.Fatal("refused before there are too many")
		}
		h.kept.Add(handover.Handed{})
	}
	if h.accepts(nil) {
		t.Error("one too many is taken")
	}
	h.f = func(net.Conn, ipc.Message) {}
	if !h.accepts(nil) {
		t.Error("refused although the program takes it")
	}
}

// A function that panics loses its connection, and nothing else.
func TestOnHandOverPanics(t *testing.T) {
	all := newNeighbours(t, 2)
	all[1].OnHandOver(func(net.Conn, ipc.Message) { panic("no") })
	server, client := all[0].conn(t)
	all[0].leave(t, all[1])
	if err := all[0].HandOver(server, 1); err != nil {
		t.Fatal(err)
	}
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := client.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("the client reads %d, %v", n, err)
	}
}

// The channel is closed when the worker leaves and has a receiver, in either order.
func TestCanHandOver(t *testing.T) {
	isOpen := func(n neighbour) bool {
		select {
		case <-n.CanHandOver():
			return false
		case <-time.After(10 * time.Millisecond):
			return true
		}
	}
	all := newNeighbours(t, 3)
	all[0].conn(t) // or the drain ends
	all[1].conn(t)
	all[0].pair(t, all[2])
	all[1].startDrain()
	<-all[1].Disconnecting()
	if !isOpen(all[0]) || !isOpen(all[1]) {
		t.Fatal("the channel is closed too early")
	}
	all[0].startDrain()
	all[1].pair(t, all[2])
	<-all[0].CanHandOver()
	<-all[1].CanHandOver()
}

// The errors of HandOver can be told apart.
func TestHandOverErrors(t *testing.T) {
	all := newNeighbours(t, 2)
	server, client := all[0].conn(t)
	if err := all[0].HandOver(server, 1); !errors.Is(err, handover.ErrNoReceiver) {
		t.Errorf("before the drain: %v", err)
	}
	all[0].leave(t, all[1])
	for name, c := range map[string]struct {
		conn  net.Conn
		state any
		want  error
	}{
		"a client":  {client, 1, ipc.ErrHandle},
		"too large": {server, strings.Repeat("x", ipc.MaxMessage-1), ipc.ErrTooLarge},
	} {
		if err := all[0].HandOver(c.conn, c.state); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := all[0].HandOver(server, math.NaN()); err == nil {
		t.Error("NaN is JSON")
	}
	if err := all[0].HandOver(server, strings.Repeat("x", ipc.MaxMessage-2)); err != nil {
		t.Errorf("the largest state: %v", err)
	}
}
